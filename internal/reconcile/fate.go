package reconcile

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// merged follows a record into the one that it was merged into, and has that
// one's empty fields filled: some CRMs leave them so. What stands there is what
// the person who merged them chose.
func (b *bench) merged(ctx context.Context, r *record, head store.Head, into connectors.Record) error {
	if moving, err := b.moves(ctx, r.lane); err != nil || moving {
		b.run.Waiting++
		return err
	}
	f := store.Finding{Kind: KindMerged, Object: r.key.Object, Record: r.key.ID, Contact: r.contact, Rule: r.rule, Note: "it is " + into.ID + " now"}
	b.run.Compared++
	b.run.Merged++
	if b.run.DryRun {
		f.Did = wouldBe + "followed"
		b.find(f)
		return nil
	}
	if err := b.Ledger.Follow(ctx, r.key, into.ID, r.keys); err != nil {
		return err
	}
	f.Did = "followed"
	fill := map[uint64][]string{}
	for field, h := range head {
		if w := r.want(field); w != nil && w.when != mapping.IfEmpty && h.Hash != connectors.Hash(nil) && connectors.Canonical(into.Fields[field]) == "" {
			fill[h.Seq] = append(fill[h.Seq], field)
		}
	}
	for _, seq := range slices.Sorted(maps.Keys(fill)) {
		_, id, note, err := b.mend(ctx, r, seq, fill[seq], false)
		if err != nil {
			return err
		}
		if f.Event = id; note != "" {
			f.Note += "; " + note
		}
	}
	b.find(f)
	return nil
}

// policy is what is to be done where the CRM has a record no more.
func (r *record) policy(conn Connector) string { return cmp.Or(r.onMissing, conn.OnMissing) }

// gone does what is to be done about a record that the CRM has no more.
func (b *bench) gone(ctx context.Context, r *record, head store.Head) error {
	if moving, err := b.moves(ctx, r.lane); err != nil || moving {
		b.run.Waiting++
		return err
	}
	policy := r.policy(b.conn)
	f := store.Finding{Kind: KindMissing, Object: r.key.Object, Record: r.key.ID, Contact: r.contact, Rule: r.rule, Note: r.unsure}
	b.run.Compared++
	b.run.Missing++
	if policy == "forget" && r.unsure != "" {
		policy = "" // it is for good
	}
	switch {
	case b.run.DryRun:
		f.Did = map[string]string{"forget": wouldBe + "forgotten", "recreate": wouldBe + "recreated"}[policy]
	case policy == "forget":
		f.Did = "forgotten"
		if err := b.Ledger.Follow(ctx, r.key, "", r.keys); err != nil {
			return err
		}
	case policy == "recreate":
		by := map[uint64][]string{}
		for field, h := range head {
			if r.want(field) != nil {
				by[h.Seq] = append(by[h.Seq], field)
			}
		}
		if r.lost && len(head) == 0 { // what was written went with it
			for _, w := range r.wants {
				by[w.version.Seq] = append(by[w.version.Seq], w.field)
			}
		}
		for _, seq := range slices.Sorted(maps.Keys(by)) {
			did, id, note, err := b.mend(ctx, r, seq, by[seq], true)
			if err != nil {
				return err
			}
			if note != "" {
				f.Note = note
				continue
			}
			f.Did, f.Event = did, id
		}
		if f.Did == "" {
			b.run.Failed++
		} else {
			f.Did = "recreated"
			b.run.Mended++
		}
	}
	b.find(f)
	return nil
}
