package deliver_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// crm is an account in memory with upsert on any key, and faults.
type crm struct {
	mu      sync.Mutex
	records []*row
	made    int // records ever
	writes  int // calls of Write
	finds   int
	// fault is asked before each change is applied; an error that is Unknown
	// is returned after applying it.
	fault  func(c connectors.Change) *connectors.Error
	down   *connectors.Error // of every call
	unique bool              // it keeps the fields that it upserts by unique
	knows  bool              // it knows a change again that was sent before
	hang   chan struct{}     // Write waits for it
	skip   any               // a value that is not written
}

type row struct {
	object, id string
	n          int // in the order of creation
	fields     map[string]any
	links      []string
	created    time.Time
}

// upserts are the fields by which the account finds or makes a record in one
// step; a change keyed by another one makes a second record.
var upserts = []string{"cid", "id", "key"}

func (c *crm) Describe(_ context.Context, objects []string) (connectors.Schema, error) {
	out := connectors.Schema{}
	for _, name := range objects {
		o := connectors.Object{Name: name, Fields: map[string]connectors.Field{}}
		for _, f := range upserts {
			o.Fields[f] = connectors.Field{Name: f, Upsert: true, Unique: c.unique}
		}
		out[name] = o
	}
	return out, nil
}

func (c *crm) Repeats() bool { return c.knows }

func (c *crm) match(object string, k connectors.Key) (hits []*row) {
	if len(k) == 0 {
		return nil
	}
	for _, r := range c.records {
		ok := r.object == object
		for _, t := range k {
			ok = ok && (t.Field == connectors.ID && r.id == t.Value || t.Field != connectors.ID && r.fields[t.Field] == t.Value)
		}
		if ok {
			hits = append(hits, r)
		}
	}
	return hits
}

func (c *crm) Find(_ context.Context, matches []connectors.Match) ([]connectors.Found, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finds++
	if c.down != nil {
		return nil, c.down
	}
	out := make([]connectors.Found, len(matches))
	for i, m := range matches {
		for n, k := range m.Keys {
			hits := c.match(m.Object, k)
			if len(hits) == 0 {
				continue
			}
			out[i].Key = n
			for _, r := range hits {
				rec := connectors.Record{ID: r.id, Created: r.created, Modified: r.created, Fields: map[string]any{}}
				for _, f := range m.Read {
					if v, ok := r.fields[f]; ok {
						rec.Fields[f] = v
					}
				}
				out[i].Records = append(out[i].Records, rec)
			}
			break
		}
	}
	return out, nil
}

func (c *crm) Write(ctx context.Context, changes []connectors.Change) ([]connectors.Result, error) {
	c.mu.Lock()
	hang := c.hang
	c.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return nil, &connectors.Error{Kind: connectors.Transient, Err: ctx.Err()}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes++
	if c.down != nil {
		return nil, c.down
	}
	out := make([]connectors.Result, len(changes))
	for i, ch := range changes {
		out[i] = c.apply(ch)
	}
	return out, nil
}

func (c *crm) apply(ch connectors.Change) connectors.Result {
	var e *connectors.Error
	if c.fault != nil {
		e = c.fault(ch)
	}
	if e != nil && e.Kind != connectors.Unknown {
		return connectors.Result{Err: e}
	}
	var r *row
	created := false
	switch {
	case ch.ID != "":
		i := slices.IndexFunc(c.records, func(r *row) bool { return r.id == ch.ID })
		if i < 0 {
			return connectors.Result{Err: &connectors.Error{Kind: connectors.NotFound}}
		}
		r = c.records[i]
	case len(ch.Key) > 0 && (slices.Contains(upserts, ch.Key[0].Field) || !ch.Attempted.IsZero()) && len(c.match(ch.Object, ch.Key)) > 0:
		r = c.match(ch.Object, ch.Key)[0]
	case len(ch.Key) == 0 && !ch.Attempted.IsZero() && c.twin(ch) != nil:
		r = c.twin(ch)
	default:
		created = true
		c.made++
		r = &row{object: ch.Object, id: fmt.Sprintf("%s-%d", ch.Object, c.made), n: c.made, fields: map[string]any{}, created: time.Now()}
		c.records = append(c.records, r)
	}
	var skipped []string
	for f, v := range ch.Fields {
		if v != nil && v == c.skip {
			skipped = append(skipped, f)
		} else if v == nil {
			delete(r.fields, f)
		} else {
			r.fields[f] = v
		}
	}
	for _, l := range ch.Links {
		if !slices.Contains(r.links, l.ID) {
			r.links = append(r.links, l.ID)
		}
	}
	if e != nil {
		return connectors.Result{Err: e}
	}
	return connectors.Result{ID: r.id, Created: created, Skipped: skipped}
}

func (c *crm) twin(ch connectors.Change) *row {
	for _, r := range c.records {
		same := r.object == ch.Object && !r.created.Before(ch.Attempted)
		for f, v := range ch.Fields {
			same = same && r.fields[f] == v
		}
		if same && !ch.OfOther(r.id) {
			return r
		}
	}
	return nil
}

func (c *crm) list(object string) (out []*row) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.records {
		if r.object == object {
			out = append(out, r)
		}
	}
	return out
}

// column gives one field of all records of an object, joined.
func (c *crm) column(object, field string) string {
	var out []string
	for _, r := range c.list(object) {
		out = append(out, fmt.Sprint(r.fields[field]))
	}
	return strings.Join(out, " ")
}
