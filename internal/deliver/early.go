package deliver

import (
	"context"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// What the CRM has taken is kept while the rest of a step is under way, so that a
// crash in a long one has little sent again: every pace, or when it is so much.
// What was answered in between shares a commit.
const (
	pace = 50 * time.Millisecond
	much = 100 // changes
)

// told gathers what a connector tells before its Write returns.
type told struct {
	mu   sync.Mutex
	list []outcome
	full chan struct{} // holds one
}

// outcome is the result of the change at an index.
type outcome struct {
	at     int
	result connectors.Result
}

func (t *told) add(at int, r connectors.Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.list = append(t.list, outcome{at, r}); len(t.list) < much {
		return
	}
	select {
	case t.full <- struct{}{}:
	default:
	}
}

func (t *told) take() []outcome {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.list
	t.list = nil
	return list
}

// sendKeeping is send, and takes in and keeps on the way what the connector
// tells. taken are the indexes of the changes with which that was done.
func (w *wave) sendKeeping(ctx context.Context, groups []*group, changes []connectors.Change) (results []connectors.Result, whole *connectors.Error, taken map[int]bool) {
	news := told{full: make(chan struct{}, 1)}
	for i, g := range groups {
		// Where a rule's record is several of the CRM's, the delivery is done
		// with it only after the last.
		if g.rec().OnMany != mapping.ManyAll {
			changes[i].Told = func(r connectors.Result) { news.add(i, r) }
		}
	}
	repeats := w.repeats()
	over := make(chan struct{})
	go func() {
		defer close(over)
		results, whole = w.send(ctx, changes)
	}()
	// Also after a panic below: what is sent must not be tried again beside it.
	defer func() { <-over }()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	taken = map[int]bool{}
	for ended := false; ; {
		select {
		case <-over:
			// Whose Write panicked after that gives no results.
			if ended = true; len(results) == len(changes) {
				return results, whole, taken
			}
		case <-tick.C:
		case <-news.full:
		}
		advanced := map[*job]bool{}
		for _, o := range news.take() {
			if g := groups[o.at]; !taken[o.at] {
				taken[o.at] = true
				w.took(g, changes[o.at], o.result)
				for _, it := range g.items {
					// What does no harm if it is sent again is kept at the end.
					advanced[it.job] = repeats || !g.known() && !g.sure
				}
			}
		}
		if ended {
			return results, whole, taken
		}
		w.keepTaken(ctx, groups, taken, advanced)
	}
}

// keepTaken keeps deliveries that have come to their end as done, unless an
// earlier one of their lane has not, and of others that advanced how far they
// came. What the ledger does not take now is kept with the rest of the wave.
func (w *wave) keepTaken(ctx context.Context, groups []*group, taken map[int]bool, advanced map[*job]bool) {
	step := groups[0].items[0].step
	under := map[*job]bool{}
	for i, g := range groups {
		for _, it := range g.items {
			under[it.job] = under[it.job] || !taken[i]
		}
	}
	now := w.t.d.clock.now()
	var updates []store.Update
	var done []*job
	behind := map[string]bool{} // lanes with a delivery that is not done
	for _, j := range w.jobs {
		switch {
		case j.state == kept:
		case len(j.plan.Records) <= step+1 && !under[j] && j.complete() && !behind[j.d.Lane]:
			w.verdict(j, now, false)
			done = append(done, j)
			updates = append(updates, j.update())
		default:
			behind[j.d.Lane] = true
			if advanced[j] {
				updates = append(updates, j.update())
			}
		}
	}
	if len(updates) == 0 {
		return
	}
	updates[0].Links, updates[0].Heads = w.links, w.heads
	crashpoint.At("wave.told")
	err := w.t.d.ledger.Settle(context.WithoutCancel(ctx), updates)
	crashpoint.At("wave.kept")
	if err != nil {
		return
	}
	w.forget()
	for _, j := range done {
		j.state = kept
	}
	w.tell(done)
	w.t.d.meter.Attempted(w.t.name, string(store.Done), len(done))
}

// forget drops the links and heads that the ledger has now.
func (w *wave) forget() {
	w.t.inLedger(w.links)
	w.links, w.heads = map[store.LinkKey]string{}, map[store.RecordKey]store.Head{}
}
