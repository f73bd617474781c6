package pipedrive

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// want is one match that is looked for.
type want struct {
	match connectors.Match
	found *connectors.Found
	keys  [][]term // a nil key cannot match anything
	hits  map[int][]wireRecord
}

// term is one field of a key with the value in the form in which it is compared.
type term struct {
	field connectors.Field
	id    bool
	text  string // as search is asked for it
	norm  string
}

func (w *want) open() bool { return w.found.Err == nil && len(w.found.Records) == 0 }

func (w *want) fail(err *connectors.Error) {
	if w.open() {
		w.found.Err = err
	}
}

func (w *want) hit(key int, r wireRecord) {
	if w.hits == nil {
		w.hits = map[int][]wireRecord{}
	}
	if !slices.ContainsFunc(w.hits[key], func(x wireRecord) bool { return x.id() == r.id() }) {
		w.hits[key] = append(w.hits[key], r)
	}
}

// findIn looks for all matches of one object, level by level, so that a later
// key costs nothing where an earlier one finds.
func (c *Connector) findIn(ctx context.Context, object string, wants []*want) {
	s, err := c.shape(ctx, object)
	levels := 0
	for _, w := range wants {
		if err != nil {
			w.fail(err)
			continue
		}
		if e := c.compile(ctx, object, w); e != nil {
			w.fail(e)
		}
		levels = max(levels, len(w.keys))
	}
	scanned, decided := false, false
	for level := range levels {
		var byID, byValue []*want
		for _, w := range wants {
			switch {
			case !w.open() || level >= len(w.keys) || w.keys[level] == nil:
			case slices.ContainsFunc(w.keys[level], func(t term) bool { return t.id }):
				byID = append(byID, w)
			case s.kind.searchable():
				byValue = append(byValue, w)
			}
		}
		if len(byValue) > 0 && !decided {
			decided = true
			scanned = c.scan(ctx, s, level, wants)
		}
		c.fetchLevel(ctx, s, level, byID)
		if !scanned {
			c.searchLevel(ctx, s, level, byValue)
		}
		for _, w := range append(byID, byValue...) {
			for _, r := range w.hits[level] {
				w.found.Key = level
				w.found.Records = append(w.found.Records, c.record(s, r, w.match.Read))
			}
		}
	}
}

// compile makes the keys' values right.
func (c *Connector) compile(ctx context.Context, object string, w *want) *connectors.Error {
	for _, key := range w.match.Keys {
		var terms []term
		for _, k := range key {
			t, ok, err := c.term(ctx, object, k)
			if err != nil {
				return err
			}
			if !ok {
				terms = nil
				break
			}
			terms = append(terms, t)
		}
		w.keys = append(w.keys, terms)
	}
	return nil
}

// term makes one value right; ok is false if no record can have it.
func (c *Connector) term(ctx context.Context, object string, k connectors.Term) (t term, ok bool, err *connectors.Error) {
	if k.Field == connectors.ID {
		s := plain(k.Value)
		return term{id: true, text: s, norm: s}, s != "", nil
	}
	f, err := c.field(ctx, object, k.Field)
	if err != nil {
		return term{}, false, err
	}
	wire, _, skip, err := c.encode(ctx, f, k.Value)
	if err != nil || skip || wire == nil {
		return term{}, false, err
	}
	norms := c.norms(f, wire)
	if len(norms) != 1 {
		return term{}, false, nil
	}
	return term{field: f, text: strings.TrimSpace(plain(k.Value)), norm: norms[0]}, true, nil
}

// norms gives the values of a field in the form in which they are compared:
// text without regard to case, numbers in full.
func (c *Connector) norms(f connectors.Field, v any) []string {
	switch v := v.(type) {
	case bool:
		if v {
			return []string{"true"}
		}
		return []string{"false"}
	case json.Number:
		return []string{strings.TrimSuffix(v.String(), ".0")}
	case string:
		return c.normText(f, v)
	case []any:
		var out []string
		for _, x := range v {
			out = append(out, c.norms(f, x)...)
		}
		return out
	case map[string]any:
		for _, name := range []string{"value", "amount", "id"} {
			if x, ok := v[name]; ok {
				return c.norms(f, x)
			}
		}
	}
	return nil
}

func (c *Connector) normText(f connectors.Field, s string) []string {
	s = strings.ToLower(strings.TrimSpace(s))
	if s == "" {
		return nil
	}
	switch {
	case f.Type == connectors.Phone:
		if n, ok := connectors.ParsePhone(s, c.coercion.Country); ok {
			return []string{n.E164}
		}
	case f.Native == "time" && len(s) > 5:
		return []string{s[:5]} // seconds are not kept
	case f.Native == "hours" && len(s) > 5:
		return []string{s[:5]}
	case f.Type == connectors.DateTime:
		if t, _, ok := connectors.AsTime(s, c.coercion.Zone); ok && f.Native != "stamp" {
			return []string{t.UTC().Format(stamp)}
		}
	}
	return []string{s}
}

// values are a record's values of a field: of persons all addresses and numbers.
func (c *Connector) values(k *kind, f connectors.Field, r wireRecord) []string {
	if k.name == "persons" && !custom(f) && (f.Native == "email" || f.Native == "phone") {
		var out []string
		for _, p := range pointsOf(r[f.Native+"s"]) {
			out = append(out, c.normText(f, p.Value)...)
		}
		return out
	}
	return c.norms(f, held(k, f, r))
}

// holds tells whether a record has all values of a key.
func (c *Connector) holds(k *kind, key []term, r wireRecord) bool {
	for _, t := range key {
		if t.id && r.id() != t.norm || !t.id && !slices.Contains(c.values(k, t.field, r), t.norm) {
			return false
		}
	}
	return true
}
