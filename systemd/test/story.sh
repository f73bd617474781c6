#!/usr/bin/env bash
# A package's life under a real systemd, told from inside a throw-away system
# (run.sh makes it): install, edit, start, a signed call, memory, reload, broken
# files, kill, watchdog, stop, upgrade under load, backups, ledgers of an older and
# a newer layout, remove, purge. It needs in its folder OLD.deb and NEW.deb of two
# versions, hammer, and the ledgers schema3.db.gz and newer.db.gz.
set -euo pipefail
cd "$(dirname "$0")"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
secret=whsec_b25seS1mb3ItdGhpcy10ZXN0LW5vLXNlY3JldA==
export TELLI_SIGNING_SECRET=$secret HUBSPOT_TOKEN=x AIRTABLE_TOKEN=x
unit=crmsyncd.service

step() { echo "--- $*"; }
fail() {
	echo "FAILED: $*" >&2
	systemctl status --no-pager -l crmsyncd.service crmsyncd.socket >&2 || true
	journalctl --no-pager -n 60 -u crmsyncd.service >&2 || true
	exit 1
}
until_true() { # SECONDS COMMAND...: asks ten times a second
	local tries=$(($1 * 10))
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || fail "this never came true: $*"
		sleep 0.1
	done
}
show() { systemctl show -P "$1" $unit; }
is() { [ "$(show "$1")" = "$2" ]; }
has() { grep -qF -- "$2" <<<"$(show "$1")"; }
count() { { curl -s --max-time 30 "http://127.0.0.1:9900/_/records/hubspot/$1" | grep -o '"links"' || true; } | wc -l; }
calls_are() { [ "$(count calls)" = "$1" ]; }
ids_once() { # no call is in the CRM twice
	curl -s "http://127.0.0.1:9900/_/records/hubspot/calls" | grep -o '"telli_call_id": *"[^"]*"' | sort | uniq -d
}
logged() { journalctl --no-pager -u $unit | grep -F -- "$1" >/dev/null; } # -q would break the pipe

step "install: nothing starts by itself, and everything is where it belongs"
dpkg -i OLD.deb >/dev/null
is ActiveState inactive || fail "it runs without its settings"
for f in /usr/bin/crmsyncd /usr/share/man/man8/crmsyncd.8.gz /usr/share/man/man8/crmsyncd-serve.8.gz /usr/share/bash-completion/completions/crmsyncd \
	/usr/share/fish/vendor_completions.d/crmsyncd.fish /usr/share/zsh/vendor-completions/_crmsyncd /usr/lib/systemd/system/crmsyncd-backup.timer \
	/usr/share/doc/crmsyncd/README.md /usr/share/doc/crmsyncd/examples/telli-hubspot-airtable/mapping.yaml; do
	[ -f "$f" ] || fail "the package lacks $f"
done
[ "$(stat -c %a /etc/crmsyncd/secrets.env)" = 600 ] || fail "everybody may read the secrets"
systemd-analyze verify $unit crmsyncd.socket crmsyncd-backup.service crmsyncd-backup.timer || fail "systemd does not like the units"

step "edit two files, start, ready"
sed -i 's|^  hubspot:|&\n    base_url: http://127.0.0.1:9900/hubspot|; s|^  airtable:|&\n    base_url: http://127.0.0.1:9900/airtable|; s|appYOURBASE000000|appCrmsyncdDemo00|' /etc/crmsyncd/config.yaml
printf '%s\n' "TELLI_SIGNING_SECRET=$secret" HUBSPOT_TOKEN=x AIRTABLE_TOKEN=x >/etc/crmsyncd/secrets.env
cp /usr/bin/crmsyncd /run/sandbox # outlives the package
echo 'limits: {store_time: 30s}' >>/etc/crmsyncd/config.yaml # hammer does not come again if the disk is late
mount -o remount,exec /run 2>/dev/null || true
systemd-run --quiet --unit=sandbox /run/sandbox sandbox --unlimited --search-delay 0s --listen 127.0.0.1:9900
until_true 60 curl -sf --max-time 2 http://127.0.0.1:9900/_/stats
systemctl enable --quiet --now $unit || fail "it does not start"
is ActiveState active || fail "it is not active"
is Type notify && has StatusText "sources: 1, connectors: 2" || fail "its status is $(show StatusText)"
systemctl is-active --quiet crmsyncd.socket || fail "the socket is not active"
logged "the .socket unit says where" && fail "the socket and the settings do not agree"
ss -ltnp 2>/dev/null | grep -q 8787 || fail "nobody listens"
pid=$(show MainPID)
[ "$(stat -c %U "/proc/$pid")" != root ] || fail "it runs as root"

step "a signed call arrives in the CRM"
crmsyncd send --sample call_completed >/dev/null || fail "the webhook was refused"
until_true 60 calls_are 1
curl -sf http://127.0.0.1:8788/readyz >/dev/null || fail "not ready"

step "idle, it has less than 35 MB of memory"
rss() { awk '/^VmRSS:/ {print $2}' "/proc/$pid/status"; }
small() { [ "$(($(rss) * 1024))" -lt 35000000 ]; }
sleep 3
awk '/^(VmRSS|RssAnon|RssFile):/' "/proc/$pid/status"
echo "idle it has $(($(rss) * 1024 / 1000)) kB; 35000 are allowed"
until_true 60 small

step "reload: a good file is taken, a broken one refused, and the old one stays"
cp /etc/crmsyncd/mapping.yaml /run/good.yaml
echo "# a change" >>/etc/crmsyncd/mapping.yaml
systemctl reload $unit || fail "a good file was refused"
until_true 60 logged "reloaded"
echo "rules: [" >/etc/crmsyncd/mapping.yaml
! systemctl reload $unit 2>/dev/null || fail "systemctl reload did not tell that the file is broken"
is ActiveState active && is MainPID "$pid" || fail "a broken file ended the daemon"
systemctl kill --kill-whom=main -s HUP $unit
until_true 60 has StatusText "was refused, the settings before it are in force"
./hammer -n 5 -from 1 >/dev/null || fail "the old rules do not work any more"
cp /run/good.yaml /etc/crmsyncd/mapping.yaml
systemctl reload $unit
until_true 60 calls_are 6

step "a secret handed over by systemd, also in a reload"
install -m 600 /dev/null /etc/crmsyncd/hubspot-token
printf x >/etc/crmsyncd/hubspot-token
mkdir -p /etc/systemd/system/$unit.d
printf '[Service]\nLoadCredential=hubspot:/etc/crmsyncd/hubspot-token\n' >/etc/systemd/system/$unit.d/override.conf
sed -i 's|${HUBSPOT_TOKEN}|${credential:hubspot}|' /etc/crmsyncd/config.yaml
systemctl daemon-reload
systemctl restart $unit || fail "it does not start with a credential"
systemctl reload $unit || fail "it does not reload with a credential"

step "SIGKILL: it comes back by itself, and senders wait meanwhile"
pid=$(show MainPID)
systemctl kill --kill-whom=main -s KILL $unit
until_true 60 eval '[ "$(show MainPID)" != "$pid" ]' # it could still take a connection
./hammer -n 5 -from 6 || fail "senders were refused"
until_true 60 is ActiveState active
is NRestarts 1 || fail "restarted $(show NRestarts) times"
until_true 60 calls_are 11

step "SIGKILL under 200 webhooks a second: what was acknowledged arrives, what was cut off comes again, and each is there once"
./hammer -n 400 -rate 200 -from 20001 >/run/cut 2>&1 &
load=$!
sleep 1
systemctl kill --kill-whom=main -s KILL $unit
wait $load || true # senders whose connections were cut
cat /run/cut
acknowledged=$(sed -n 's/.*answered 200: \([0-9]*\).*/\1/p' /run/cut)
[ "$acknowledged" -gt 200 ] || fail "too few were acknowledged to tell"
until_true 60 eval '[ "$(count calls)" -ge "$((11 + acknowledged))" ]'
./hammer -n 400 -rate 200 -from 20001 >/dev/null || fail "senders that came again were refused"
until_true 60 calls_are 411
[ -z "$(ids_once)" ] || fail "calls are in the CRM twice: $(ids_once | head -3)"

step "the watchdog ends a daemon that hangs"
mkdir -p /run/systemd/system/$unit.d
printf '[Service]\nWatchdogSec=10\nRestartSec=1\n' >/run/systemd/system/$unit.d/test.conf
systemctl daemon-reload
systemctl restart $unit
fed=$(show WatchdogTimestampMonotonic)
until_true 60 eval '[ "$(show WatchdogTimestampMonotonic)" -gt "$((fed + 10000000))" ]' # the watchdog would have ended it by then
is NRestarts 0 || fail "the watchdog ended a daemon that lives"
pid=$(show MainPID)
kill -STOP "$pid"
until_true 60 logged "Watchdog timeout"
until_true 60 is NRestarts 1
until_true 60 is ActiveState active
[ "$(show MainPID)" != "$pid" ] || fail "the process is still the same"
rm /run/systemd/system/$unit.d/test.conf
systemctl daemon-reload

step "a backup a day: by the timer, of the daemon that runs, the oldest goes"
backups=/var/lib/private/crmsyncd/backups
crmsyncd ledger verify >/dev/null
! systemctl is-enabled --quiet crmsyncd-backup.timer || fail "nobody asked for backups"
mkdir -p /run/systemd/system/crmsyncd-backup.timer.d
printf '[Timer]\nOnCalendar=\nOnActiveSec=1\nAccuracySec=100ms\nRandomizedDelaySec=0\n' >/run/systemd/system/crmsyncd-backup.timer.d/test.conf
systemctl daemon-reload
systemctl enable --quiet --now crmsyncd-backup.timer
until_true 60 eval "ls $backups/crmsyncd-*.db"
until_true 60 eval '[ "$(systemctl show -P ExecMainStatus crmsyncd-backup.service)$(systemctl show -P ActiveState crmsyncd-backup.service)" = 0inactive ]'
made=$(ls $backups/crmsyncd-*.db)
crmsyncd ledger verify "$made" >/dev/null || fail "the backup is not sound"
[ "$(stat -c %a.%U "$made")" = "600.$(stat -c %U /var/lib/private/crmsyncd/ledger.db)" ] || fail "everybody may read the backup: $(stat -c '%a %U' "$made")"
for day in $(seq 10 24); do cp -p "$made" "$backups/crmsyncd-202001${day}T031500Z.db"; done
systemctl start crmsyncd-backup.service || fail "the backup failed: $(journalctl --no-pager -n 5 -u crmsyncd-backup)"
[ "$(ls $backups | wc -l)" = 14 ] && [ -f "$made" ] || fail "these backups are left: $(ls $backups)"
is ActiveState active || fail "the backup ended the daemon"
rm -r /run/systemd/system/crmsyncd-backup.timer.d
systemctl daemon-reload

step "stop: what is under way ends well, and the ledger is closed"
systemctl restart $unit
pid=$(show MainPID)
./hammer -n 3 -from 11 -slow 8s >/run/slow 2>&1 &
slow=$!
until_true 7 eval '[ "$(ss -tnpH state established "( sport = :8787 )" | grep -c "pid=$pid,")" = 3 ]'
systemctl stop $unit
wait $slow || fail "stopping broke a webhook: $(cat /run/slow)"
is Result success && is ExecMainStatus 0 || fail "it ended with $(show Result), $(show ExecMainStatus)"

step "a webhook at the socket starts it again"
is ActiveState inactive || fail "it runs already"
! systemctl start crmsyncd-backup.service 2>/dev/null || fail "a backup took the ledger while the daemon was stopped"
before=$(journalctl --no-pager -u $unit | grep -c "not closed cleanly" || true)
./hammer -n 1 -from 14 >/dev/null || fail "the webhook was refused"
until_true 60 is ActiveState active
[ "$(journalctl --no-pager -u $unit | grep -c "not closed cleanly" || true)" = "$before" ] || fail "the stop left the ledger unclean"
until_true 60 calls_are 415

step "upgrade and restart under 200 webhooks a second: none is refused"
old=$(crmsyncd version)
./hammer -n 2400 -rate 200 -from 15 >/run/load 2>&1 &
load=$!
sleep 2
dpkg -i NEW.deb >/run/upgrade 2>&1 || fail "the upgrade failed: $(cat /run/upgrade)"
sleep 2
systemctl restart $unit
sleep 2
systemctl restart $unit
wait $load || fail "under load: $(cat /run/load)"
cat /run/load
[ "$(crmsyncd version)" != "$old" ] || fail "it is still $old"
grep -qF "base_url" /etc/crmsyncd/config.yaml || fail "the upgrade overwrote the settings"
[ "$(readlink "/proc/$(show MainPID)/exe")" = /usr/bin/crmsyncd ] || fail "the old binary still runs"
until_true 90 calls_are 2815
[ -z "$(ids_once)" ] || fail "calls are in the CRM twice: $(ids_once | head -3)"

step "systemd kills it at the end of TimeoutStopSec, with requests under way: nothing is lost or there twice"
mkdir -p /run/systemd/system/$unit.d # it asks for more time than that: here nobody hears it
printf '[Service]\nType=exec\nNotifyAccess=none\nWatchdogSec=0\nTimeoutStopSec=2\n' >/run/systemd/system/$unit.d/test.conf
systemctl daemon-reload
systemctl restart $unit
until_true 60 curl -sf http://127.0.0.1:8788/readyz
curl -sf -o /dev/null -X POST http://127.0.0.1:9900/_/faults -d '[{"crm": "hubspot", "latency_ms": 60000}]'
asked() { curl -sf --max-time 30 "http://127.0.0.1:9900/_/requests?crm=hubspot" | grep -o '"path"' | wc -l; }
before=$(asked)
./hammer -n 3 -from 2415 >/dev/null || fail "the webhooks were refused"
until_true 60 eval '[ "$(asked)" -gt "$before" ]'
systemctl stop crmsyncd.socket $unit
is Result timeout || fail "it ended with $(show Result), want to be killed"
curl -sf -o /dev/null -X DELETE http://127.0.0.1:9900/_/faults
rm /run/systemd/system/$unit.d/test.conf
systemctl daemon-reload
systemctl reset-failed $unit
systemctl start crmsyncd.socket $unit || fail "it does not start after it was killed"
until_true 90 calls_are 2818
[ -z "$(ids_once)" ] || fail "calls are in the CRM twice: $(ids_once | head -3)"

step "settings that only a person can mend: given up, told, and mended"
cp /etc/crmsyncd/config.yaml /run/good-config.yaml
mkdir -p /run/systemd/system/$unit.d # on a slow machine too many starts take longer than the unit says
printf '[Unit]\nStartLimitIntervalSec=600\n' >/run/systemd/system/$unit.d/test.conf
systemctl daemon-reload
echo "nonsense: 1" >>/etc/crmsyncd/config.yaml
! systemctl restart $unit 2>/dev/null || fail "it started with broken settings"
is ExecMainStatus 78 || fail "it ended with $(show ExecMainStatus), want 78"
until_true 60 is ActiveState failed # a restart cannot help
! ./hammer -n 1 -from 1 >/dev/null || fail "a webhook was taken by nobody"
until_true 60 systemctl is-failed --quiet crmsyncd.socket
cp /run/good-config.yaml /etc/crmsyncd/config.yaml
rm /run/systemd/system/$unit.d/test.conf
systemctl daemon-reload
systemctl reset-failed crmsyncd.socket $unit
systemctl start crmsyncd.socket $unit || fail "it does not start with mended settings"
./hammer -n 1 -from 1 >/dev/null || fail "with mended settings the webhook is refused"
crmsyncd status >/dev/null

step "root looks into the ledger of a daemon that was killed, and it starts again"
systemctl kill --kill-whom=all -s KILL $unit
systemctl stop crmsyncd.socket $unit
crmsyncd events list --limit 1 >/dev/null || fail "root cannot read the ledger"
systemctl start $unit || fail "the daemon cannot open its ledger any more"

step "remove: it stops, settings and ledger stay"
dpkg -r crmsyncd >/dev/null 2>&1
! systemctl is-active --quiet $unit crmsyncd.socket || fail "it still runs"
[ ! -e /usr/bin/crmsyncd ] || fail "the binary is still there"
[ -f /etc/crmsyncd/secrets.env ] && [ -f /var/lib/private/crmsyncd/ledger.db ] || fail "settings or ledger are gone"

step "install again: as before"
dpkg -i NEW.deb >/dev/null
grep -qF "base_url" /etc/crmsyncd/config.yaml || fail "the settings are new ones"
systemctl start $unit
grep -qF 2818 <<<"$(crmsyncd status)" || fail "the ledger is another one: $(crmsyncd status)"

step "a ledger of the layout before: brought to today's by the new package, and kept"
systemctl stop crmsyncd.socket $unit
state=/var/lib/private/crmsyncd
put() { # LEDGER.gz: in the place of the ledger
	gzip -dc "$1" >$state/put.db
	chown --reference=$state $state/put.db
	chmod 600 $state/put.db
	mv $state/put.db $state/ledger.db
}
put schema3.db.gz
dpkg -i NEW.deb >/dev/null
systemctl start $unit || fail "it does not start on a ledger of layout 3"
logged "the ledger is brought to today's layout" || fail "it does not tell"
[ -f $state/ledger.db.v3 ] || fail "the old file was not kept"
crmsyncd events list --limit 100 | grep -c evt_ >/run/events
[ "$(cat /run/events)" = 32 ] || fail "there are $(cat /run/events) events, want 32"

step "a ledger of a newer crmsyncd: refused, and what it says to do helps"
systemctl stop crmsyncd.socket $unit
put newer.db.gz
! systemctl start $unit 2>/dev/null || fail "it started on a ledger that it cannot know"
is ExecMainStatus 78 || fail "it ended with $(show ExecMainStatus), want 78"
said=$(journalctl --no-pager -n 20 -o cat -u $unit | grep -o 'crmsyncd ledger restore [^" ]*' | tail -n 1)
[ "$said" = "crmsyncd ledger restore /var/lib/crmsyncd/ledger.db.v3" ] || fail "it says \"$said\""
systemctl stop crmsyncd.socket
$said >/dev/null || fail "what it says does not work"
systemctl reset-failed 'crmsyncd*'
systemctl start $unit || fail "it does not start on what was restored"
[ "$(crmsyncd events list --limit 100 | grep -c evt_)" = 32 ] || fail "the restored ledger is another"

step "purge: nothing stays"
rm /etc/crmsyncd/hubspot-token # it is not the package's
dpkg -P crmsyncd >/dev/null 2>&1
for f in /etc/crmsyncd /var/lib/private/crmsyncd /var/lib/crmsyncd /usr/share/doc/crmsyncd \
	/etc/systemd/system/timers.target.wants/crmsyncd-backup.timer /var/lib/systemd/timers/stamp-crmsyncd-backup.timer; do
	[ ! -e "$f" ] && [ ! -L "$f" ] || fail "$f is still there"
done
echo "the .deb lived its life"
