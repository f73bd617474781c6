#!/bin/sh
# Runs before files go: remove, upgrade (deb) or 0, 1 (rpm).
set -e
case "$1" in
remove | 0) ;;
*) exit 0 ;;
esac
[ -d /run/systemd/system ] || exit 0
# Both at once: a webhook at the socket would start the daemon again.
systemctl disable --now crmsyncd-backup.timer crmsyncd.socket crmsyncd.service || true
