#!/usr/bin/env bash
# Tells story.sh under a real systemd in namespaces of its own. Where a machine
# does not let us, it says so and is content, unless REQUIRE=1.
#
#   run.sh OLD.deb NEW.deb HAMMER
set -euo pipefail
here=$(realpath "$(dirname "$0")")
old=$(realpath "$1") new=$(realpath "$2") hammer=$(realpath "$3")
if ! why=$("$here/namespace.sh" can); then
	echo "the packages were not tried under systemd: $why"
	[ "${REQUIRE:-}" != 1 ]
	exit
fi
dir=$(mktemp -d)
trap '"$here/namespace.sh" down "$dir"' EXIT
"$here/namespace.sh" up "$dir"
inside=$dir/root/root/story # /tmp and /run are others inside
mkdir -p "$inside"
cp "$here/story.sh" "$inside/"
cp "$old" "$inside/OLD.deb"
cp "$new" "$inside/NEW.deb"
cp "$hammer" "$inside/hammer"
timeout --kill-after=10 500 "$here/namespace.sh" exec "$dir" bash /root/story/story.sh
