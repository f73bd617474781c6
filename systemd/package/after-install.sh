#!/bin/sh
# Runs after files were unpacked: configure (deb) or 1, 2 (rpm: install, upgrade).
set -e
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
# A daemon that runs becomes the new one; the socket holds senders meanwhile.
# On a first install nothing starts: the settings are not yet yours.
systemctl try-restart crmsyncd.service || true
