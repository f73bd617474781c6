package deliver

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/store"
)

// knowledge is what the ledger knows under the keys of an item.
type knowledge struct {
	keys []store.LinkKey // the ledger's names of the item's keys
	ids  []string        // by key
	// attempted is when some delivery began to make the record, with an outcome
	// that is not known: an older event that comes late passes that delivery in
	// the lane, and must not make the record a second time.
	attempted time.Time
}

// lookUp asks the ledger for what is known under each item's keys.
func (w *wave) lookUp(ctx context.Context, items []item) ([]knowledge, error) {
	keys := make([]store.LinkKey, 0, 2*len(items)) // of most: one key, and its attempt
	for _, it := range items {
		for _, k := range it.rec.Keys {
			keys = append(keys, linkKey(w.t.name, it.rec.Object, k))
		}
		if len(it.rec.Keys) > 0 {
			keys = append(keys, attemptKey(keys[len(keys)-len(it.rec.Keys)]))
		}
	}
	ids, err := store.Undamaged(ctx, keys, w.t.d.ledger.Links)
	if err != nil {
		return nil, err
	}
	for i, k := range keys {
		if news, told := w.links[k]; told { // by an earlier step, and kept with the wave
			ids[i] = news
		}
	}
	out := make([]knowledge, len(items))
	for i, it := range items {
		n := len(it.rec.Keys)
		if n == 0 {
			continue
		}
		out[i].keys, out[i].ids = keys[:n:n], ids[:n]
		if at := ids[n]; at != "" {
			out[i].attempted, _ = time.Parse(time.RFC3339Nano, at)
		}
		keys, ids = keys[n+1:], ids[n+1:]
	}
	return out, nil
}

// resolve uses what is known without asking the CRM: an earlier attempt's
// record, a link in the ledger, or a record written moments ago.
func (w *wave) resolve(g *group, known knowledge) {
	r := g.items[0].job.d.Records[g.items[0].step]
	g.attempted, g.linked, g.marked = earlier(r.Attempted, known.attempted), known.ids, !known.attempted.IsZero()
	if r.ID != "" {
		g.ids = []string{r.ID}
		return
	}
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	for i, id := range g.linked {
		if id == "" {
			id = w.t.recent[g.linkKeys[i]].id
		}
		if id != "" {
			g.ids, g.foundBy = []string{id}, i
			return
		}
	}
}

// unchanged defers groups of which the ledger knows something else by now, and
// returns the others. A wave that ended since it was asked had kept that before
// its claims were free, and nothing else tells of it any more.
func (w *wave) unchanged(ctx context.Context, groups []*group) ([]*group, error) {
	items := make([]item, len(groups))
	for i, g := range groups {
		items[i] = g.items[0]
	}
	known, err := w.lookUp(ctx, items)
	if err != nil {
		return nil, err
	}
	var same []*group
	for i, g := range groups {
		if !slices.Equal(known[i].ids, g.linked) || known[i].attempted.IsZero() == g.marked {
			g.deferAll()
			continue
		}
		same = append(same, g)
	}
	return same, nil
}

// identity names the record as far as it is known, and all names under which
// another item might mean the same. A record known from an earlier attempt may
// not be known under its keys yet, so it holds them too.
func (w *wave) identity(g *group, i int) (string, []string) {
	var claims []string
	if g.known() && g.foundBy <= 0 {
		claims = append(claims, idClaim(g.object, g.ids[0]))
		if g.foundBy == 0 {
			return claims[0], claims
		}
	}
	for _, k := range g.linkKeys {
		claims = append(claims, claimKey(k))
	}
	if g.known() && g.foundBy > 0 {
		claims = append(claims, idClaim(g.object, g.ids[0]))
	}
	if len(claims) == 0 {
		return fmt.Sprintf("keyless\x00%d", i), nil
	}
	return claims[0], claims
}

func idClaim(object, id string) string { return object + "\x00" + connectors.ID + "\x00" + id }

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
