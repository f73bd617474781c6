#!/usr/bin/env bash
# Asks systemd what it thinks of the units: whether they are right, and how much
# the services are locked in (0 is best, 10 is not at all).
#
#   systemd/check.sh BINARY
set -euo pipefail
binary=$(realpath "${1:?the crmsyncd that the units are to start}")
cd "$(dirname "$0")"
most=11 # tenths: 1.1

if ! command -v systemd-analyze >/dev/null; then
	echo "units are not checked: there is no systemd-analyze on this machine"
	exit 0
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for unit in *.service *.socket *.timer; do
	sed "s|/usr/bin/crmsyncd|$binary|" "$unit" >"$dir/$unit"
done
# --man=no: the page is there once the package is installed.
said=$(systemd-analyze verify --man=no --recursive-errors=yes "$dir"/* 2>&1) || { echo "$said" >&2; exit 1; }
if grep -F "$dir" <<<"$said"; then # a warning about one of ours
	exit 1
fi
for unit in *.service; do
	if ! said=$(systemd-analyze security --offline=true --threshold="$most" "$dir/$unit"); then
		echo "$said" >&2
		echo "$unit exposes more than 1.1" >&2
		exit 1
	fi
	tail -n 1 <<<"$said"
done
