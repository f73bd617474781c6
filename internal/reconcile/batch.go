package reconcile

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// batch compares records of one object.
func (p *passage) batch(ctx context.Context, conn Connector, list []*record) error {
	before, err := p.heads(ctx, list)
	if err != nil {
		return err
	}
	b := &bench{passage: p, conn: conn}
	var asked []*record
	var fields []string
	for _, r := range list {
		head := before[r.key]
		switch {
		case r.waiting:
			p.run.Waiting++
			continue
		case len(head) == 0 && r.lost && r.policy(conn) != "forget":
			if err := b.gone(ctx, r, head); err != nil {
				return err
			}
			continue
		case len(head) == 0:
			continue // nothing of ours is known there, or it was forgotten
		}
		asked = append(asked, r)
		for _, w := range r.wants {
			if _, written := head[w.field]; written && w.when != mapping.IfEmpty && !slices.Contains(fields, w.field) {
				fields = append(fields, w.field)
			}
		}
	}
	if len(asked) == 0 || len(fields) == 0 {
		return nil
	}
	slices.Sort(fields)
	reads, err := p.read(ctx, conn, asked, fields)
	if err == nil {
		err = p.lookUp(ctx, conn, asked, reads, fields)
	}
	if err != nil {
		return err
	}
	// What was written meanwhile cannot be compared with what was read.
	after, err := p.heads(ctx, asked)
	if err != nil {
		return err
	}
	for i, r := range asked {
		if !maps.Equal(before[r.key], after[r.key]) {
			p.run.Waiting++
			continue
		}
		if err := b.compare(ctx, r, after[r.key], reads[i]); err != nil {
			return err
		}
	}
	return nil
}

func (p *passage) heads(ctx context.Context, list []*record) (map[store.RecordKey]store.Head, error) {
	keys := make([]store.RecordKey, len(list))
	for i, r := range list {
		keys[i] = r.key
	}
	heads, err := store.Undamaged(ctx, keys, p.Ledger.Heads)
	if err != nil {
		return nil, err
	}
	out := make(map[store.RecordKey]store.Head, len(keys))
	for i, k := range keys {
		out[k] = heads[i]
	}
	return out, nil
}

// bench compares the records of a batch one by one.
type bench struct {
	*passage
	conn   Connector
	moving map[string]bool // lanes in which something is on its way now; nil: not asked for yet
	waited time.Duration   // for room; see makeRoom
}

// compare says what became of a record, and sends on its way what mends it.
func (b *bench) compare(ctx context.Context, r *record, head store.Head, read connectors.Read) error {
	switch {
	case read.Err != nil:
		b.run.Failed++
		b.find(store.Finding{Kind: KindFailed, Object: r.key.Object, Record: r.key.ID, Contact: r.contact, Rule: r.rule, Note: read.Err.Error()})
		return nil
	case read.Gone:
		return b.gone(ctx, r, head)
	case read.Merged:
		return b.merged(ctx, r, head, read.Record)
	}
	differ, err := b.differ(ctx, r, head, read.Record)
	if err != nil {
		return err
	}
	if len(differ) > 0 {
		if moving, err := b.moves(ctx, r.lane); err != nil || moving {
			b.run.Waiting++
			return err
		}
	}
	b.run.Compared++
	edited, failed := false, false
	mend := map[uint64][]string{} // fields by the event that says what is right
	for _, d := range differ {
		if d.mend {
			mend[d.seq] = append(mend[d.seq], d.Field)
			continue
		}
		edited = true
		b.find(d.Finding)
	}
	for _, seq := range slices.Sorted(maps.Keys(mend)) {
		did, id, note, err := b.mend(ctx, r, seq, mend[seq], false)
		if err != nil {
			return err
		}
		for _, d := range differ {
			if d.mend && d.seq == seq {
				d.Did, d.Event, d.Note = did, id, note
				b.find(d.Finding)
			}
		}
		failed = failed || note != ""
	}
	switch {
	case failed:
		b.run.Failed++
	case len(mend) > 0:
		b.run.Mended++
	case edited:
		b.run.Edited++
	default:
		b.run.Agreed++
	}
	return nil
}

// movingAtMost bounds how many waiting deliveries are looked through; where
// there are more, every contact counts as being written.
const movingAtMost = 20_000

// moves tells whether something is on its way to a contact now.
func (b *bench) moves(ctx context.Context, lane string) (bool, error) {
	if b.moving == nil {
		b.moving = map[string]bool{}
		f := store.DeliveryFilter{State: store.Waiting, Connector: b.run.Connector, Limit: scanPage}
		for n := 0; ; {
			list, err := b.Ledger.Deliveries(ctx, f)
			if err != nil {
				return false, err
			}
			for _, d := range list {
				b.moving[d.Lane] = true
			}
			if len(list) == 0 {
				break
			}
			if n += len(list); n > movingAtMost {
				b.moving[""] = true
				break
			}
			f.Before = list[len(list)-1].ID.Seq
		}
	}
	return b.moving[lane] || b.moving[""], nil
}
