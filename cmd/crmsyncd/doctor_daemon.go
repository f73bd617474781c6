package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/doctor"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

// asleep looks at the ledger of a daemon that does not answer, for the reason
// err.
func (c *cli) asleep(ctx context.Context, p *patient, err error) []doctor.Finding {
	s := p.setup.Settings
	if !errors.Is(err, admin.ErrUnreachable) {
		return []doctor.Finding{doctor.Bad("daemon-odd", "daemon", "it does not answer as it should at "+s.Admin+": "+err.Error(), "does admin: name the daemon's address, or that of another program? journalctl -u crmsyncd may say more; then systemctl restart crmsyncd")}
	}
	down := doctor.Bad("daemon-down", "daemon", "none answers at "+s.Admin, "systemctl status crmsyncd says why; systemctl start crmsyncd")
	ledger, err := openLedger(p.setup, bolt.Options{})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return []doctor.Finding{doctor.Doubt("daemon-never-ran", "daemon", down.What, "it has never run here; systemctl enable --now crmsyncd, or crmsyncd serve")}
	case errors.Is(err, store.ErrLocked):
		return []doctor.Finding{doctor.Bad("daemon-silent", "daemon", "one has the ledger open, but none answers at "+s.Admin, "is admin: the same in its settings? If so, it hangs: systemctl restart crmsyncd")}
	case errors.Is(err, store.ErrSchema):
		if _, older := bolt.OldLayout(err); older {
			return []doctor.Finding{down, doctor.Doubt("ledger-older", "ledger", err.Error(), "the next start of the daemon brings it to today's layout and keeps the old file; or crmsyncd ledger migrate")}
		}
		return []doctor.Finding{down, doctor.Bad("ledger-newer", "ledger", err.Error(), "install the crmsyncd that wrote it, or restore what was kept before the upgrade: docs/operations.md, Back to the version before")}
	case errors.Is(err, store.ErrCorrupt):
		return []doctor.Finding{down, doctor.Bad("ledger-damaged", "ledger", err.Error(), "crmsyncd ledger verify says what is damaged, crmsyncd ledger restore puts a backup in its place")}
	case errors.Is(err, store.ErrKey):
		return []doctor.Finding{down, doctor.Bad("ledger-locked", "ledger", err.Error(), "privacy.encryption_keys must have the key that it was encrypted with; run crmsyncd doctor as a user who may read it")}
	case err != nil:
		return []doctor.Finding{down, doctor.Bad("ledger-unread", "ledger", err.Error(), "run crmsyncd doctor as root or as the daemon's user; if that is who you are, look at data_dir")}
	}
	desk, end := app.NewDesk(ledger, p.setup)
	if last, err := app.LastWebhooks(ctx, ledger); err == nil {
		for _, b := range s.Sources {
			p.status.Sources = append(p.status.Sources, admin.Source{Name: b.Name, LastWebhook: last[b.Name]})
		}
	}
	kept, err := desk.Status(ctx)
	end()
	if err == nil && kept.LedgerForeign {
		_ = ledger.Close()
		return []doctor.Finding{down, doctor.Doubt("ledger-moved", "ledger", "it "+foreignLedger, adoptLedger)}
	}
	_ = ledger.Close() // nothing was written; a disk that fails is told of below
	return []doctor.Finding{down, doctor.Fine("ledger", "ledger", "it can be opened")}
}

// lately is within when a webhook of every source is expected.
const lately = 7 * 24 * time.Hour

// daemon judges what the running daemon says of itself.
func (p *patient) daemon() []doctor.Finding {
	s, now := p.status, time.Now()
	var out []doctor.Finding
	add := func(f doctor.Finding) { out = append(out, f) }
	switch {
	case !s.Ready:
		add(doctor.Bad("daemon-not-ready", "daemon", "not ready: "+s.NotReady, "webhooks are not kept until this is mended, and senders try again; journalctl -u crmsyncd has the cause, and what is said of the disk here"))
	case s.Version != version:
		add(doctor.Doubt("daemon-other-version", "daemon", fmt.Sprintf("version %s runs, this command is %s", s.Version, version), "systemctl restart crmsyncd"))
	default:
		add(doctor.Fine("daemon", "daemon", fmt.Sprintf("version %s runs since %s and is ready; its ledger is of this version", s.Version, now.Sub(s.StartedAt).Round(time.Second))))
	}
	if s.LedgerForeign {
		add(doctor.Bad("ledger-foreign", "ledger", "it "+foreignLedger, adoptLedger))
	}
	if s.Settings.Failure != "" {
		add(doctor.Bad("reload-refused", "reload", "the last one, "+ago(s.Settings.FailedAt, now)+", was refused; the settings before it are in force", "crmsyncd check shows the mistakes; then systemctl reload crmsyncd"))
	}
	if s.ClockAhead != 0 {
		add(doctor.Skew(time.Duration(s.ClockAhead*float64(time.Second)), "the CRMs, which the daemon compares"))
	}
	if s.Quarantine > 0 {
		add(doctor.Doubt("events-quarantined", "events", plural(int(s.Quarantine), "event")+" could not be understood", "crmsyncd events list --state quarantined shows them; crmsyncd events replay after an update, or crmsyncd events discard"))
	}
	for _, c := range s.Connectors {
		about := "connector " + c.Name
		switch c.State {
		case "parked":
			add(doctor.Bad("connector-parked", about, "parked: "+c.Reason, "mend what it says; its deliveries wait and go out by themselves, at once with systemctl reload crmsyncd"))
		case "paused":
			add(doctor.Doubt("connector-paused", about, "paused: "+c.Reason, "it goes on by itself; its deliveries wait. If it stays so: crmsyncd check --live --connector "+c.Name))
		}
		if c.Dead > 0 && c.State != "removed" {
			add(doctor.Doubt("deliveries-dead", about, fmt.Sprintf("%d dead deliveries", c.Dead), "crmsyncd deliveries list --state dead --connector "+c.Name+" says why; mend it, then crmsyncd deliveries retry"))
		}
		if !c.OldestWaiting.IsZero() && now.Sub(c.OldestWaiting) > time.Hour {
			add(doctor.Doubt("deliveries-old", about, fmt.Sprintf("%d deliveries wait, the oldest for %s", c.Waiting, now.Sub(c.OldestWaiting).Round(time.Minute)), "crmsyncd deliveries list --state waiting --connector "+c.Name+" says what for"))
		}
	}
	return out
}

// judged is what doctor says of a running daemon's status.
func judged(s admin.Status) []doctor.Finding {
	p := &patient{status: s}
	return append(p.daemon(), p.webhooks()...)
}

// webhooks judges whether each source's vendor has sent lately.
func (p *patient) webhooks() []doctor.Finding {
	var out []doctor.Finding
	for _, s := range p.status.Sources {
		about, now := "source "+s.Name, time.Now()
		if now.Sub(s.LastWebhook) > lately {
			what := "no webhook came within a week"
			if !s.LastWebhook.IsZero() {
				what += ": the last " + ago(s.LastWebhook, now)
			}
			out = append(out, doctor.Doubt("webhooks-none", about, what, "compare the address that the vendor was given with /hooks/"+s.Name+"; crmsyncd send tries this side, journalctl -u crmsyncd shows refusals"))
		} else {
			out = append(out, doctor.Fine("webhooks", about, "the last webhook came "+ago(s.LastWebhook, now)))
		}
	}
	return out
}
