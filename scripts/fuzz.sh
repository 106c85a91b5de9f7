#!/usr/bin/env bash
# Runs every fuzz target of the module in the current folder, one after the other: fuzz.sh DURATION
# Interesting inputs are minimised by 10 attempts only: the default, 60 s for each, leaves no time for fuzzing.
set -euo pipefail
duration=$1

list=$(go test -race -list='^Fuzz' ./...) || { echo "$list" >&2; exit 1; }

# Before Go 1.27 the end of the fuzz time may be reported as a failure (golang.org/issue/75804): "context deadline
# exceeded", and no failing input is written. Such a run is repeated, twice at most.
fuzz() {
	local log try
	log=$(mktemp)
	for try in 1 2 3; do
		if go test -run='^$' -fuzz="^$2\$" -fuzztime="$duration" -fuzzminimizetime=10x -timeout=0 "$1" 2>&1 | tee "$log"; then
			rm -f "$log"
			return 0
		fi
		grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input written' "$log" || break
		echo "fuzz $1 $2: the end of attempt $try was taken for a failure"
	done
	rm -f "$log"
	return 1
}

failed=0
names=()
while read -r first package _; do
	case $first in
	Fuzz*) names+=("$first") ;;
	ok)
		for target in ${names[@]+"${names[@]}"}; do
			echo "fuzz $package $target for $duration"
			fuzz "$package" "$target" || failed=1
		done
		names=()
		;;
	esac
done <<<"$list"
exit $failed
