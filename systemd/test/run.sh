#!/usr/bin/env bash
# Tells story.sh, and rpm.sh where there is an rpm, under a real systemd in
# namespaces of its own. Where a machine does not let us, it says so and is
# content, unless REQUIRE=1.
#
#   run.sh DIR    with hammer and the packages 0.1.0 and 0.2.0 of this machine
set -euo pipefail
here=$(realpath "$(dirname "$0")")
from=$(realpath "$1")
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
cp "$here/story.sh" "$here/rpm.sh" "$from/hammer" "$here"/../../store/bolt/testdata/{schema3,newer}.db.gz "$inside/"
cp "$from"/crmsyncd_0.1.0-1_*.deb "$inside/OLD.deb"
cp "$from"/crmsyncd_0.2.0-1_*.deb "$inside/NEW.deb"
cp "$from"/crmsyncd-0.1.0-1.*.rpm "$inside/OLD.rpm"
cp "$from"/crmsyncd-0.2.0-1.*.rpm "$inside/NEW.rpm"
timeout --kill-after=10 900 "$here/namespace.sh" exec "$dir" bash /root/story/story.sh
if ! command -v rpm >/dev/null; then
	echo "the .rpm was not tried: there is no rpm"
	[ "${REQUIRE:-}" != 1 ]
	exit
fi
timeout --kill-after=10 300 "$here/namespace.sh" exec "$dir" bash /root/story/rpm.sh
