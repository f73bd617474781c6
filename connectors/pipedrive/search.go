package pipedrive

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// tail is how many last digits of a number are searched for: people mostly
// write them together, whatever stands before.
const tail = 6

// form is one way to search for a value.
type form struct {
	fields string // of the search: email, phone, custom_fields, name, title
	text   string
	exact  bool
}

// place is how search calls the field, and how well a value of it tells records
// apart: less is better. "" cannot be searched (search guide, 2026-11).
func place(k *kind, f connectors.Field) (string, int) {
	switch {
	case custom(f):
		switch f.Native {
		case "varchar", "text", "varchar_auto", "phone", "double", "address":
			return "custom_fields", 0
		}
	case k.name == "persons" && f.Name == "email":
		return "email", 1
	case k.name == "persons" && f.Name == "phone":
		return "phone", 2
	case f.Name == "name", f.Name == "title":
		return f.Name, 3
	}
	return "", 9
}

// forms are the searches for a key: by the field that tells most. The results
// are compared with the whole key.
func (c *Connector) forms(k *kind, key []term) []form {
	best, at, rank := "", term{}, 9
	for _, t := range key {
		if name, r := place(k, t.field); name != "" && r < rank {
			best, at, rank = name, t, r
		}
	}
	if best == "" {
		return nil
	}
	if at.field.Type != connectors.Phone {
		return []form{{best, at.text, true}}
	}
	out := []form{{best, at.text, true}}
	if n, err := phonenumbers.Parse(at.norm, c.coercion.Country); err == nil && strings.HasPrefix(at.norm, "+") {
		// Numbers are searched as they were typed. The last digits find most
		// notations; what is written in groups is found as it is usual.
		local := phonenumbers.GetNationalSignificantNumber(n)
		out = []form{
			{best, at.norm, true},
			{best, local[max(0, len(local)-tail):], false},
			{best, phonenumbers.Format(n, phonenumbers.NATIONAL), true},
		}
	}
	return out
}

// searchLevel looks for one key of each match.
func (c *Connector) searchLevel(ctx context.Context, s read, level int, wants []*want) {
	asked := map[form][]*want{}
	var forms []form
	for _, w := range wants {
		fs := c.forms(s.kind, w.keys[level])
		if len(fs) == 0 {
			f := w.keys[level][0].field
			w.fail(notSearchable(s.kind, f))
			continue
		}
		for _, f := range fs {
			if utf8.RuneCountInString(f.text) < 2 && !f.exact {
				continue // which search refuses
			}
			if asked[f] == nil {
				forms = append(forms, f)
			}
			if !slices.Contains(asked[f], w) {
				asked[f] = append(asked[f], w)
			}
		}
	}
	type answer struct {
		hits []wireHit
		cut  bool // there are more
		err  *connectors.Error
	}
	answers := make([]answer, len(forms))
	places := make([]int, len(forms))
	for n := range forms {
		places[n] = n
	}
	connectors.Parallel(places, width, func(n int) { answers[n].hits, answers[n].cut, answers[n].err = c.ask(ctx, s.kind, forms[n]) })

	var ids []string
	byID := map[string][]*want{}
	for n, f := range forms {
		for _, w := range asked[f] {
			if answers[n].err != nil {
				w.fail(answers[n].err)
			}
			for _, h := range answers[n].hits {
				if id := string(h.ID); c.maybe(w.keys[level], h) && !slices.Contains(byID[id], w) {
					if byID[id] == nil {
						ids = append(ids, id)
					}
					byID[id] = append(byID[id], w)
				}
			}
		}
	}
	c.fetch(ctx, s, ids, func(id string, r wireRecord, err *connectors.Error) {
		for _, w := range byID[id] {
			switch {
			case err != nil:
				w.fail(err)
			case r != nil && c.holds(s.kind, w.keys[level], r):
				w.hit(level, r)
			}
		}
	})
	for n, f := range forms {
		for _, w := range asked[f] {
			if answers[n].cut && len(w.hits[level]) == 0 {
				w.fail(tooMany(s.kind, w.keys[level][0].field))
			}
		}
	}
}

// maybe drops what search shows to be another record, before it is read.
func (c *Connector) maybe(key []term, h wireHit) bool {
	for _, t := range key {
		shown := h.Emails
		if t.field.Name == "phone" {
			shown = h.Phones
		}
		if custom(t.field) || t.field.Name != "email" && t.field.Name != "phone" {
			continue
		}
		if !slices.ContainsFunc(shown, func(s string) bool { return slices.Contains(c.normText(t.field, s), t.norm) }) {
			return false
		}
	}
	return true
}

// ask runs one search. More than three pages of results are no answer to
// anything: cut says that there are more.
func (c *Connector) ask(ctx context.Context, k *kind, f form) (hits []wireHit, cut bool, _ *connectors.Error) {
	q := url.Values{"term": {f.text}, "fields": {f.fields}, "limit": {"500"}}
	if f.exact {
		q.Set("exact_match", "true")
	}
	for range 3 {
		var page wireSearched
		if err := c.call(ctx, httpx.Request{Method: http.MethodGet, Path: k.search, Query: q, Repeatable: true, Limiter: c.search}, &page); err != nil {
			return nil, false, err
		}
		for _, i := range page.Data.Items {
			hits = append(hits, i.Item)
		}
		if page.Additional.Cursor == "" || len(page.Data.Items) == 0 {
			return hits, false, nil
		}
		q.Set("cursor", page.Additional.Cursor)
	}
	return hits, true, nil
}

func tooMany(k *kind, f connectors.Field) *connectors.Error {
	return &connectors.Error{Kind: connectors.Invalid, Field: f.Name, Code: "TOO_MANY_RECORDS",
		Message: "more " + k.name + " have this value than can be looked through; match by a field that tells them apart"}
}

func notSearchable(k *kind, f connectors.Field) *connectors.Error {
	return &connectors.Error{Kind: connectors.Invalid, Field: f.Name, Code: "NOT_SEARCHABLE",
		Message: "Pipedrive cannot search " + k.name + " by this field; match by name, e-mail, phone or a custom field of type text"}
}
