#!/usr/bin/env bash
# The life of the .rpm, told by rpm itself after story.sh has purged the .deb, in
# the same throw-away system: install, edit, start, upgrade, remove. It needs
# OLD.rpm, NEW.rpm and hammer in its folder, and story.sh's sandbox.
set -euo pipefail
cd "$(dirname "$0")"
export LC_ALL=C TELLI_SIGNING_SECRET=whsec_b25seS1mb3ItdGhpcy10ZXN0LW5vLXNlY3JldA==
unit=crmsyncd.service

step() { echo "--- $*"; }
fail() {
	echo "FAILED: $*" >&2
	journalctl --no-pager -n 40 -u $unit >&2 || true
	exit 1
}
# A data base of its own: this system's packages are another's. Nothing is there
# that could be required.
package() { rpm --dbpath /root/rpms --nodeps --force-debian "$@"; }
show() { systemctl show -P "$1" $unit; }

step "install"
package -i OLD.rpm || fail "rpm does not install it"
[ "$(show ActiveState)" = inactive ] || fail "it runs without its settings"
for f in /usr/bin/crmsyncd /usr/share/man/man8/crmsyncd.8.gz /usr/share/bash-completion/completions/crmsyncd \
	/usr/share/fish/vendor_completions.d/crmsyncd.fish /usr/share/zsh/site-functions/_crmsyncd \
	/usr/lib/systemd/system/crmsyncd-backup.timer /usr/share/doc/crmsyncd/README.md; do
	[ -f "$f" ] || fail "the package lacks $f"
done
[ "$(stat -c %a /etc/crmsyncd/secrets.env)" = 600 ] || fail "everybody may read the secrets"
package -V crmsyncd || fail "rpm finds other files than it put there"

step "edit, start, a signed call"
sed -i 's|^  hubspot:|&\n    base_url: http://127.0.0.1:9900/hubspot|; s|^  airtable:|&\n    base_url: http://127.0.0.1:9900/airtable|; s|appYOURBASE000000|appCrmsyncdDemo00|' /etc/crmsyncd/config.yaml
echo 'limits: {store_time: 30s}' >>/etc/crmsyncd/config.yaml # hammer does not come again if the disk is late
printf '%s\n' "TELLI_SIGNING_SECRET=$TELLI_SIGNING_SECRET" HUBSPOT_TOKEN=x AIRTABLE_TOKEN=x >/etc/crmsyncd/secrets.env
systemctl enable --quiet --now $unit crmsyncd-backup.timer || fail "it does not start"
./hammer -n 1 -from 9001 || fail "the webhook was refused"

step "upgrade under load: none is refused, and the settings stay"
./hammer -n 1000 -rate 200 -from 9002 >/run/load 2>&1 &
load=$!
sleep 1
old=$(crmsyncd version)
package -U NEW.rpm 2>/run/upgrade || fail "the upgrade failed: $(cat /run/upgrade)"
wait $load || fail "under load: $(cat /run/load)"
cat /run/load
[ "$(crmsyncd version)" != "$old" ] || fail "it is still $old"
[ "$(readlink "/proc/$(show MainPID)/exe")" = /usr/bin/crmsyncd ] || fail "the old binary still runs"
grep -qF base_url /etc/crmsyncd/config.yaml || fail "the upgrade overwrote the settings"
systemctl is-enabled --quiet $unit crmsyncd.socket crmsyncd-backup.timer || fail "the upgrade disabled it"
systemctl start crmsyncd-backup.service || fail "there is no backup"

step "remove: it stops, settings and ledger stay"
said=$(package -e crmsyncd 2>&1) || fail "rpm does not remove it: $said"
! systemctl is-active --quiet $unit crmsyncd.socket crmsyncd-backup.timer || fail "it still runs"
[ ! -e /usr/bin/crmsyncd ] || fail "the binary is still there"
grep -qF base_url /etc/crmsyncd/config.yaml.rpmsave && [ -f /etc/crmsyncd/secrets.env.rpmsave ] || fail "the settings are gone"
[ -f /var/lib/private/crmsyncd/ledger.db ] || fail "the ledger is gone"
echo "the .rpm lived its life"
