#!/usr/bin/env bash
# Runs a command in the folder of every Go module of the repository: each-module.sh [--all] COMMAND...
# Without --all, modules that hold no package (tools) are passed over. All modules are visited, also after a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

all=false
if [ "$1" = --all ]; then
	all=true
	shift
fi

failed=0
while IFS= read -r mod; do
	(
		cd "$(dirname "$mod")"
		if ! $all && packages=$(go list ./... 2>/dev/null) && [ -z "$packages" ]; then
			exit 0
		fi
		"$@"
	) || { echo "failed in $(dirname "$mod"): $*" >&2; failed=1; }
done < <(find . -name go.mod -not -path '*/testdata/*' -not -path '*/.*/*' | sort)
exit $failed
