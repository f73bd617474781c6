package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// difference is one field that is not as it should be.
type difference struct {
	store.Finding
	mend bool
	seq  uint64 // of the event that says what is right
}

// verdict is what comes of three values: what the vendor said last, what we
// wrote last and what the CRM has now.
type verdict int

const (
	agrees verdict = iota
	behind         // the vendor has news that were not written
	edited         // a person changed it
)

// judge compares a field. same: the CRM has what we wrote last.
func judge(w want, written store.FieldHead, same bool) verdict {
	news := written.Older(*w.version)
	switch {
	case news && (same || w.when != mapping.IfChanged):
		return behind
	case !same:
		return edited
	}
	return agrees
}

// keeps tells whether a person's edit stays.
func (b *bench) keeps(w want) bool {
	policy := w.onEdit
	if policy == "" {
		policy = b.conn.OnEdit
	}
	// if: changed says itself that an edit stays.
	return policy != "ours" || w.when == mapping.IfChanged
}

// differ gives the fields of a record that are not as they should be.
func (b *bench) differ(ctx context.Context, r *record, head store.Head, now connectors.Record) ([]*difference, error) {
	var out []*difference
	for _, w := range r.wants {
		written, ok := head[w.field]
		if !ok || w.when == mapping.IfEmpty {
			continue
		}
		current := now.Fields[w.field]
		v := judge(w, written, connectors.Hash(current) == written.Hash)
		if v == agrees {
			continue
		}
		seq := written.Seq
		if v == behind {
			seq = w.version.Seq
		}
		// The CRM may answer a value in another spelling than it was written.
		ours, ev, err := b.valueOf(ctx, seq, r, w.field)
		if err != nil {
			return nil, err
		}
		if ours != nil && connectors.Hash(ours.value) == connectors.Hash(current) && (v == edited || written.Hash == connectors.Hash(current)) {
			continue
		}
		d := &difference{seq: seq, Finding: store.Finding{Kind: KindEdited, Object: r.key.Object, Record: r.key.ID, Contact: r.contact, Field: w.field, Rule: w.rule, Event: store.EventID(seq)}}
		if ours != nil {
			d.Ours, d.Theirs = masked(ours.value, current, ev)
		} else {
			_, d.Theirs = masked("", current, nil)
		}
		switch {
		case v == behind:
			d.Kind, d.mend = KindBehind, true
		case !b.keeps(w):
			d.mend = true
		}
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b *difference) int { return strings.Compare(a.Field, b.Field) })
	return out, nil
}

// valued is what an event gives a field by today's rules.
type valued struct {
	step  string
	value connectors.Value
}

// valueOf gives what an event says of a record's field by today's rules; nil
// where it says nothing any more.
func (b *bench) valueOf(ctx context.Context, seq uint64, r *record, field string) (*valued, *event.Event, error) {
	plan, ev, err := b.planOf(ctx, seq, r)
	if err != nil {
		return nil, nil, err
	}
	var found *valued
	for _, rec := range plan {
		for _, f := range rec.Fields {
			if f.Name == field {
				found = &valued{rec.Step, f.Value} // the last of several counts
			}
		}
	}
	return found, ev, nil
}

// planOf is what today's rules make of an event for a record, and its common
// model; nil where it cannot be read any more. Of several records of one object,
// such as a caller and an agent, it is those that are known by the record's keys,
// else those that were delivered to it, else those of which neither is known.
func (p *passage) planOf(ctx context.Context, seq uint64, r *record) ([]*mapping.Record, *event.Event, error) {
	v, err := p.Ledger.Event(ctx, seq)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrCorrupt):
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	case v.Event.Stripped:
		return nil, nil, nil
	}
	ev, err := p.setup.Parse(v.Event)
	if err != nil {
		return nil, nil, nil
	}
	plan, err := p.setup.Plan(ev, p.run.Connector)
	if err != nil {
		return nil, ev, nil
	}
	d, _ := deliveryTo(v, p.run.Connector)
	var keyed, sent, open []*mapping.Record
	for rec, id := range idsOf(&plan, d) {
		if rec.Object != r.key.Object || rec.Shadow || !standsForContact(ev, rec) {
			continue
		}
		switch {
		case slices.ContainsFunc(p.linksOf(rec), func(k store.LinkKey) bool { return slices.Contains(r.keys, k) }):
			keyed = append(keyed, rec)
		case id == r.key.ID:
			sent = append(sent, rec)
		case id == "":
			open = append(open, rec)
		}
	}
	for _, list := range [][]*mapping.Record{keyed, sent, open} {
		if len(list) > 0 {
			return list, ev, nil
		}
	}
	return nil, ev, nil
}

// wouldBe stands before what a dry run would have done.
const wouldBe = "to be "

// mend sends on its way what writes fields of a record again, as the event of
// that seq says: an event for each of its rules that do, of which id is the
// first. note says why it cannot be.
func (b *bench) mend(ctx context.Context, r *record, seq uint64, fields []string, whole bool) (did, id, note string, err error) {
	v, err := b.Ledger.Event(ctx, seq)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && v.Event.Stripped:
		return "", "", "the event that says what is right is not kept any more", nil
	case err != nil:
		return "", "", "", err
	}
	slices.Sort(fields)
	steps := map[string][]string{}
	for _, field := range fields {
		says, _, err := b.valueOf(ctx, seq, r, field)
		if err != nil {
			return "", "", "", err
		}
		if says != nil {
			steps[says.step] = append(steps[says.step], field)
		}
	}
	if len(steps) == 0 {
		return "", "", "today's rules do not write it any more", nil
	}
	if b.run.DryRun {
		return wouldBe + "mended", store.EventID(seq), "", nil
	}
	if err := b.makeRoom(ctx); err != nil {
		return "", "", "", err
	}
	for _, step := range slices.Sorted(maps.Keys(steps)) {
		only := event.Only{Connector: b.run.Connector, Step: step, Fields: steps[step], Whole: whole}
		sent, refused, err := b.send(ctx, v.Event, only, fmt.Sprintf("mend:%s:%s:%d:%s:%q:%t", b.run.Connector, place(r.key), seq, step, only.Fields, whole))
		if err != nil {
			return "", "", "", err
		}
		id, note = cmp.Or(id, sent), cmp.Or(note, refused)
	}
	if note != "" {
		return "", id, note, nil
	}
	return "mended", id, "", nil
}

// send keeps the event that mends a part of another one, unless what it would do
// is on its way already, or died there: every run would add another dead one. A
// mend that was done and did not help, that a person discarded or that the ledger
// let go of, while it knows its id still, is sent anew.
func (b *bench) send(ctx context.Context, of store.Event, only event.Only, key string) (id, note string, err error) {
	for again := ""; ; {
		e, err := b.setup.Mend(of, only, key+again, b.now().Truncate(time.Microsecond))
		if err != nil {
			return "", "it cannot be mended: " + err.Error(), nil
		}
		receipt, err := b.Append(ctx, e)
		if err != nil {
			return "", "", err
		}
		id = store.EventID(receipt.Seq)
		if !receipt.Duplicate {
			return id, "", nil
		}
		before, err := b.Ledger.Event(ctx, receipt.Seq)
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrCorrupt) {
			again = fmt.Sprintf(":behind %d", receipt.Seq)
			continue
		} else if err != nil {
			return "", "", err
		}
		d, _ := deliveryTo(before, b.run.Connector)
		switch last := fmt.Sprintf(":run %d", b.run.ID); {
		case d.State == store.Dead:
			return id, "what is to mend it, delivery " + d.ID.String() + ", is dead: retry or discard it", nil
		case d.State == store.Discarded:
			again = fmt.Sprintf(":behind %d", receipt.Seq)
		case d.State == store.Done && again != last:
			again = last
		default:
			return id, "", nil
		}
	}
}
