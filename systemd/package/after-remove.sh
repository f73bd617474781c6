#!/bin/sh
# Runs after files went: remove, purge, upgrade (deb) or 0, 1 (rpm).
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
# The ledger goes only when everything is to go.
if [ "$1" = purge ]; then
	rm -rf /var/lib/private/crmsyncd
	if [ -L /var/lib/crmsyncd ]; then rm -f /var/lib/crmsyncd; else rm -rf /var/lib/crmsyncd; fi
	rm -rf /etc/systemd/system/crmsyncd.service.d /etc/systemd/system/crmsyncd.socket.d
	rm -rf /etc/systemd/system/crmsyncd-backup.service.d /etc/systemd/system/crmsyncd-backup.timer.d
	rm -f /var/lib/systemd/timers/stamp-crmsyncd-backup.timer
fi
