package bolt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// perRecord is what a small record counts in the size of a commit, in bytes.
const perRecord = 1024

// Unplanned implements store.Ledger. Damaged events are passed over and logged.
func (l *Ledger) Unplanned(ctx context.Context, limit, maxBytes int) ([]store.Event, error) {
	var events []store.Event
	err := l.read(ctx, func(t *txn) error {
		sums, err := t.sums()
		if err != nil || sums.unplanned == 0 {
			return err
		}
		size := 0
		// add returns false if there is no room.
		add := func(k, rec []byte) bool {
			head, err := t.decodeHead(k, rec)
			if err == nil && head.Problem != "" {
				return true
			}
			if size += head.body.size; len(events) >= limit || size > maxBytes && len(events) > 0 {
				return false
			}
			if err == nil {
				head.Event, err = head.whole(k)
			}
			if err != nil {
				l.reportDamage(err)
				return true
			}
			events = append(events, head.Event)
			return true
		}
		c := t.bucket(replanBucket).Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			rec := t.bucket(eventsBucket).Get(k)
			if rec == nil {
				l.reportDamage(damaged(eventsBucket, k, "it is missing"))
			} else if !add(k, rec) {
				return nil
			}
		}
		c = t.bucket(eventsBucket).Cursor()
		for k, rec := c.Seek(seqKey(sums.planned + 1)); k != nil && add(k, rec); k, rec = c.Next() {
		}
		return nil
	})
	return events, err
}

// Plan implements store.Ledger. Events that went into quarantine meanwhile, or
// that a person set aside, are left alone.
func (l *Ledger) Plan(ctx context.Context, plans []store.Plan) error {
	for _, p := range plans {
		for _, c := range p.Connectors {
			if c == "" || strings.ContainsRune(c, 0) {
				return fmt.Errorf("%q is no name of a connector", c)
			}
		}
	}
	return l.write(ctx, perRecord*len(plans), func(t *txn) error {
		heads := make([]eventHead, len(plans))
		for i, p := range plans {
			var err error
			if heads[i], err = t.eventHead(p.Seq); err != nil {
				return err
			}
		}
		for i, p := range plans {
			if heads[i].Problem != "" || heads[i].Discarded != "" {
				continue
			}
			if err := t.plan(&heads[i].Event, p.Connectors); err != nil {
				return err
			}
		}
		t.passQuarantined()
		return nil
	}, nil)
}

func (t *txn) plan(e *store.Event, connectors []string) error {
	first, replayed, err := t.nowPlanned(e.Seq)
	if err != nil {
		return err
	}
	var kept []store.Delivery
	if !first {
		kept = t.deliveriesOf(e.Seq)
	}
	queued := e.ReceivedAt
	if replayed { // as if it had just come
		queued = t.now
	}
	for _, name := range connectors {
		i := slices.IndexFunc(kept, func(d store.Delivery) bool { return d.ID.Connector == name })
		switch {
		case i < 0:
			d := store.Delivery{
				ID: store.DeliveryID{Seq: e.Seq, Connector: name}, State: store.Waiting, Source: e.Source, Type: e.Type,
				Lane: e.Lane, OccurredAt: e.OccurredAt, Rank: e.Rank, CreatedAt: t.now, UpdatedAt: t.now,
			}
			if err := t.replace(nil, &d, queued); err != nil {
				return err
			}
			kept = append(kept, d)
		case replayed:
			d := again(kept[i])
			d.UpdatedAt = t.now
			if err := t.replace(&kept[i], &d, queued); err != nil {
				return err
			}
			if kept[i].State == store.Waiting {
				if err := t.putState(stateWaiting, name, e.Seq, queued); err != nil {
					return err
				}
			}
			kept[i] = d
		}
	}
	if first {
		if len(kept) > 0 {
			return nil
		}
		return t.putState(stateUnmatched, "", e.Seq, e.ReceivedAt)
	}
	return t.listUnmatched(e, len(kept) == 0)
}

// listUnmatched lists an event as one that no rule wanted, or not.
func (t *txn) listUnmatched(e *store.Event, unmatched bool) error {
	is := t.bucket(statesBucket).Get(stateKey(stateUnmatched, "", e.Seq)) != nil
	switch {
	case unmatched && !is:
		return t.putState(stateUnmatched, "", e.Seq, e.ReceivedAt)
	case is && !unmatched:
		return t.delState(stateUnmatched, "", e.Seq)
	}
	return nil
}

// again makes a delivery wait as if it had not been tried. Ids of records and
// attempts whose outcome is not known stay: without them a replay could make a
// record twice.
func again(d store.Delivery) store.Delivery {
	d.State, d.Attempts, d.Due, d.Kind, d.Reason = store.Waiting, 0, time.Time{}, "", ""
	d.Records = slices.Clone(d.Records)
	for i := range d.Records {
		d.Records[i].Action, d.Records[i].Note, d.Records[i].Changes = "", "", nil
	}
	return d
}

// Replay implements store.Ledger.
func (l *Ledger) Replay(ctx context.Context, events []store.Requeue) error {
	if len(events) == 0 {
		return nil // and no entry of the audit trail
	}
	for _, q := range events {
		if q.Problem == "" && q.Lane == "" {
			return fmt.Errorf("%s: %w", store.EventID(q.Seq), errNoLane)
		}
	}
	return l.write(ctx, 4*perRecord*len(events), audited(ctx, func(t *txn) error {
		for _, q := range events {
			if _, err := t.eventHead(q.Seq); err != nil {
				return err
			}
		}
		for _, q := range events {
			if err := t.requeue(q); err != nil {
				return err
			}
		}
		return nil
	}), nil)
}

func (t *txn) requeue(q store.Requeue) error {
	e, head, err := t.event(q.Seq)
	if err != nil {
		return err
	}
	was := e
	e.Problem, e.Discarded = q.Problem, ""
	if q.Problem == "" {
		e.Type, e.OccurredAt, e.Rank, e.Lane = q.Type, q.OccurredAt, q.Rank, q.Lane
	}
	if e.Problem != was.Problem || e.Discarded != was.Discarded || e.Type != was.Type || e.Lane != was.Lane || e.Rank != was.Rank || !e.OccurredAt.Equal(was.OccurredAt) {
		if err := t.putEvent(e, head); err != nil {
			return err
		}
	}
	if err := t.listQuarantined(&was, &e); err != nil {
		return err
	}
	for _, old := range t.deliveriesOf(e.Seq) {
		d := old
		d.Type, d.OccurredAt, d.Rank, d.Lane = e.Type, e.OccurredAt, e.Rank, e.Lane
		if d.Type == old.Type && sameLane(&d, &old) {
			continue
		}
		if err := t.replace(&old, &d, e.ReceivedAt); err != nil {
			return err
		}
	}
	return errors.Join(t.listUnmatched(&e, false), t.planAgain(&was, &e))
}

// inQuarantine is true for events that are listed as such.
func inQuarantine(e *store.Event) bool { return e.Problem != "" && e.Discarded == "" }

// listQuarantined keeps lists and sums in step with an event that changed.
func (t *txn) listQuarantined(was, e *store.Event) (err error) {
	switch before, now := inQuarantine(was), inQuarantine(e); {
	case now && !before:
		t.counts.quarantined++
		err = t.putState(stateQuarantined, "", e.Seq, e.ReceivedAt)
	case before && !now:
		t.counts.quarantined--
		err = t.delState(stateQuarantined, "", e.Seq)
	}
	switch before, now := was.Discarded != "", e.Discarded != ""; {
	case err != nil:
	case now && !before:
		err = t.putState(stateDiscarded, "", e.Seq, e.ReceivedAt)
	case before && !now:
		err = t.delState(stateDiscarded, "", e.Seq)
	}
	return err
}
