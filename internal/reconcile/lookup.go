package reconcile

import (
	"context"
	"slices"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// lookAtMost is how many records that are gone are looked for in one run: each
// may take a search, of which Pipedrive's day pays 20 tokens.
const lookAtMost = 200

// look is where, among the records of a phase, those begin that are gone and were
// not looked for lately. A record that stays gone must not keep those behind it
// from being looked for, run for run.
type look struct {
	after string // places up to here were looked for by the runs before; "" is none
	last  string // the last place that was looked for in this run
	cut   bool   // there were more than one run looks for
}

// look is that of the phase that is going.
func (p *passage) look(ctx context.Context) (*look, error) {
	name := p.phase
	if name == phaseBegin {
		name = phaseMay
	}
	if l := p.looks[name]; l != nil {
		return l, nil
	}
	after, err := p.markText(ctx, "looked "+name)
	if err != nil {
		return nil, err
	}
	if p.looks == nil {
		p.looks = map[string]*look{}
	}
	p.looks[name] = &look{after: after}
	return p.looks[name], nil
}

// keepLooks keeps where the next run begins to look: behind what was looked for
// where there were more, or anew where over says that all had their turn.
func (p *passage) keepLooks(ctx context.Context, over bool) error {
	for name, l := range p.looks {
		next := l.after
		switch {
		case l.cut && l.last != "":
			next = l.last
		case !l.cut && over:
			next = ""
		}
		if next == l.after {
			continue
		}
		if err := p.putText(ctx, "looked "+name, next); err != nil {
			return err
		}
	}
	return nil
}

// Why it is not sure that a record which is gone was not merged.
const (
	notLooked    = "it was not looked for under another id in this run"
	severalMatch = "several records have what it is found by"
	someoneElses = "the record that has what it is found by stands for another contact"
)

// lookUp looks for records that are gone by what their rule finds them by. Not
// every CRM tells where a merged record went (Pipedrive does not), but the one
// that is left has its values. Where exactly one is found, reads says that it
// was merged into that.
func (p *passage) lookUp(ctx context.Context, conn Connector, list []*record, reads []connectors.Read, fields []string) error {
	if conn.Find == nil {
		return nil
	}
	turn, err := p.look(ctx)
	if err != nil {
		return err
	}
	var gone []int // places in list
	matches := map[int]connectors.Match{}
	for i, r := range list {
		if !reads[i].Gone || reads[i].Err != nil {
			continue
		}
		if turn.after != "" && place(r.key) <= turn.after {
			r.unsure = notLooked
			continue
		}
		keys, err := p.keysOf(ctx, r)
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			continue
		}
		m := connectors.Match{Object: r.key.Object, Keys: keys, Read: slices.Clone(fields)}
		for _, k := range keys {
			for _, t := range k {
				if !slices.Contains(m.Read, t.Field) {
					m.Read = append(m.Read, t.Field)
				}
			}
		}
		gone, matches[i] = append(gone, i), m
		r.unsure = notLooked
	}
	for len(gone) > 0 {
		if err := p.letLivePass(ctx, conn, true); err != nil {
			return err
		}
		left, _, err := p.left(ctx, conn)
		if err != nil {
			return err
		}
		n := min(len(gone), left, lookAtMost-p.looked, max(conn.room(true), 1))
		if n <= 0 {
			turn.cut = true
			return nil // the next run looks
		}
		part := gone[:n]
		turn.last = place(list[part[n-1]].key)
		gone, p.looked = gone[n:], p.looked+n
		found, err := p.persist(ctx, conn, n, true, func(ctx context.Context, places []int) ([]connectors.Read, error) {
			ask := make([]connectors.Match, len(places))
			for i, at := range places {
				ask[i] = matches[part[at]]
			}
			answers, err := conn.Find(ctx, ask)
			out := make([]connectors.Read, len(answers))
			if err == nil && len(answers) == len(places) {
				for i, at := range places {
					out[i], list[part[at]].unsure = into(list[part[at]].key.ID, ask[i], answers[i])
				}
			}
			return out, err
		})
		if err != nil {
			return err
		}
		for i, at := range part {
			reads[at] = found[i]
		}
	}
	return nil
}

// into says what became of a record that is gone by what was found in its place,
// and why that is not sure.
func into(id string, m connectors.Match, f connectors.Found) (r connectors.Read, unsure string) {
	gone := connectors.Read{Gone: true}
	switch {
	case f.Err != nil && f.Err.Kind == connectors.Ambiguous, f.Err == nil && len(f.Records) > 1:
		return gone, severalMatch
	case f.Err != nil && f.Err.Kind == connectors.NotFound:
		return gone, ""
	case passing(f.Err):
		return connectors.Read{Err: f.Err}, ""
	case f.Err != nil:
		return gone, "it cannot be looked for: " + f.Err.Error()
	case len(f.Records) == 0 || f.Records[0].ID == id: // an index that lags
		return gone, ""
	}
	// A phone number or an address may be shared: who has another value in what
	// counts before it is somebody else.
	for _, k := range m.Keys[:min(f.Key, len(m.Keys))] {
		for _, t := range k {
			if has := connectors.Canonical(f.Records[0].Fields[t.Field]); has != "" && has != connectors.Canonical(t.Value) {
				return gone, someoneElses
			}
		}
	}
	return connectors.Read{Record: f.Records[0], Merged: true}, ""
}

// keysOf is what a record's rule finds it by, as its newest event says; not by
// its id, which is gone.
func (p *passage) keysOf(ctx context.Context, r *record) ([]connectors.Key, error) {
	plan, _, err := p.planOf(ctx, r.newest.Seq, r)
	if err != nil {
		return nil, err
	}
	for _, rec := range plan {
		if rec.Rule != r.rule {
			continue
		}
		return slices.DeleteFunc(slices.Clone(rec.Keys), func(k connectors.Key) bool {
			return slices.ContainsFunc(k, func(t connectors.Term) bool { return t.Field == connectors.ID })
		}), nil
	}
	return nil, nil
}
