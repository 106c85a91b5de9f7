#!/usr/bin/env bash
# Installs the foreign programs that the interop tests talk to: on Debian, as root, and only those that are missing.
# Anywhere else it says what is missing and goes on; the tests that need it then skip, or fail when CI is set.
set -euo pipefail

packages=(kamailio kamailio-tls-modules kamailio-websocket-modules kamailio-outbound-modules postgresql sip-tester tshark libotr5-dev libotr5-bin python3 python3-potr iproute2 nftables gcc libc6-dev
	dbus-daemon dunst xvfb espeak-ng speech-dispatcher speech-dispatcher-espeak-ng sox libasound2-plugins growl-for-linux gntp-send)

missing=()
if [ -e /etc/debian_version ] && command -v dpkg-query >/dev/null; then
	for p in "${packages[@]}"; do
		dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
	done
	if [ ${#missing[@]} -eq 0 ]; then
		exit 0
	fi
	if [ "$(id -u)" -ne 0 ]; then
		echo "peers: not root, so the tests that need these packages are skipped: ${missing[*]}"
		exit 0
	fi
else
	echo "peers: not Debian, so tests are skipped that need what is not installed of: ${packages[*]}"
	exit 0
fi

# The tests start their own servers: packages must not start theirs.
if [ ! -e /usr/sbin/policy-rc.d ]; then
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
fi

export DEBIAN_FRONTEND=noninteractive
echo "peers: installing ${missing[*]}"
apt-get update -qq || { sleep 5; apt-get update -qq; }
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
	apt-get install -y -qq --no-install-recommends "${missing[@]}"
