package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
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
		return []doctor.Finding{doctor.Bad("daemon", "it does not answer as it should at "+s.Admin+": "+err.Error(), "journalctl -u crmsyncd; then systemctl restart crmsyncd")}
	}
	down := doctor.Bad("daemon", "none answers at "+s.Admin, "systemctl status crmsyncd says why; systemctl start crmsyncd")
	ledger, err := openLedger(p.setup, bolt.Options{})
	switch {
	case errors.Is(err, store.ErrNotFound):
		down.State, down.Mend = doctor.Warn, "it has never run here; systemctl enable --now crmsyncd, or crmsyncd serve"
		return []doctor.Finding{down}
	case errors.Is(err, store.ErrLocked):
		return []doctor.Finding{doctor.Bad("daemon", "one has the ledger open, but none answers at "+s.Admin, "is admin: the same in its settings? If so, it hangs: systemctl restart crmsyncd")}
	case errors.Is(err, store.ErrSchema):
		return []doctor.Finding{down, doctor.Bad("ledger", err.Error(), "an older ledger: crmsyncd ledger migrate; a newer one: install the newer crmsyncd, or restore a backup of before the upgrade")}
	case errors.Is(err, store.ErrCorrupt):
		return []doctor.Finding{down, doctor.Bad("ledger", err.Error(), "crmsyncd ledger verify says what is damaged, crmsyncd ledger restore puts a backup in its place")}
	case err != nil:
		return []doctor.Finding{down, doctor.Bad("ledger", err.Error(), "run crmsyncd doctor as root or as the daemon's user")}
	}
	desk, end := app.NewDesk(ledger, p.setup)
	for _, b := range s.Sources {
		source := admin.Source{Name: b.Name}
		events, err := desk.Events(ctx, store.EventFilter{Source: b.Name, Since: time.Now().Add(-lately), Limit: 50})
		for _, e := range events {
			if e.Origin == event.Webhook {
				source.LastWebhook = e.ReceivedAt
				break
			}
		}
		if err == nil {
			p.status.Sources = append(p.status.Sources, source)
		}
	}
	end()
	if err := ledger.Close(); err != nil {
		return []doctor.Finding{down, doctor.Bad("ledger", err.Error(), "look at the disk")}
	}
	return []doctor.Finding{down, doctor.Fine("ledger", "it can be opened")}
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
		add(doctor.Bad("daemon", "not ready: "+s.NotReady, "webhooks are not kept until this is mended; senders try again"))
	case s.Version != version:
		add(doctor.Doubt("daemon", fmt.Sprintf("version %s runs, this command is %s", s.Version, version), "systemctl restart crmsyncd"))
	default:
		add(doctor.Fine("daemon", fmt.Sprintf("version %s runs since %s and is ready; its ledger is of this version", s.Version, now.Sub(s.StartedAt).Round(time.Second))))
	}
	if s.Settings.Failure != "" {
		add(doctor.Bad("reload", "the last one, "+ago(s.Settings.FailedAt, now)+", was refused; the settings before it are in force", "crmsyncd check shows the mistakes; then systemctl reload crmsyncd"))
	}
	if s.ClockAhead != 0 {
		add(doctor.Skew(time.Duration(s.ClockAhead*float64(time.Second)), "the CRMs, which the daemon compares"))
	}
	if s.Quarantine > 0 {
		add(doctor.Doubt("events", plural(int(s.Quarantine), "event")+" could not be understood", "crmsyncd events list --state quarantined shows them"))
	}
	for _, c := range s.Connectors {
		about := "connector " + c.Name
		switch c.State {
		case "parked":
			add(doctor.Bad(about, "parked: "+c.Reason, "mend what it says; its deliveries wait and go out by themselves, at once with systemctl reload crmsyncd"))
		case "paused":
			add(doctor.Doubt(about, "paused: "+c.Reason, "it goes on by itself; its deliveries wait"))
		}
		if c.Dead > 0 && c.State != "removed" {
			add(doctor.Doubt(about, fmt.Sprintf("%d dead deliveries", c.Dead), "crmsyncd deliveries list --state dead --connector "+c.Name+" says why; mend it, then crmsyncd deliveries retry"))
		}
		if !c.OldestWaiting.IsZero() && now.Sub(c.OldestWaiting) > time.Hour {
			add(doctor.Doubt(about, fmt.Sprintf("%d deliveries wait, the oldest for %s", c.Waiting, now.Sub(c.OldestWaiting).Round(time.Minute)), "crmsyncd deliveries list --state waiting --connector "+c.Name+" says what for"))
		}
	}
	return out
}

// webhooks judges whether each source's vendor has sent lately.
func (p *patient) webhooks() []doctor.Finding {
	var out []doctor.Finding
	for _, s := range p.status.Sources {
		if about := "source " + s.Name; s.LastWebhook.IsZero() {
			out = append(out, doctor.Doubt(about, "no webhook came within a week", "compare the address that the vendor was given with /hooks/"+s.Name+"; crmsyncd send tries this side, journalctl -u crmsyncd shows refusals"))
		} else {
			out = append(out, doctor.Fine(about, "the last webhook came "+ago(s.LastWebhook, time.Now())))
		}
	}
	return out
}
