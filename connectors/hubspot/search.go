package hubspot

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// Limits of the search endpoint (search guide, 2026-11).
const (
	searchBody   = 3000 // characters of a request
	searchPage   = 200
	searchMost   = 10_000 // results that can be paged through
	searchGroups = 5
	searchAll    = 18 // filters of one request
)

// phoneIndex are the properties by which HubSpot finds numbers: digits without
// country code (search guide, 2026-11). Searching phone itself for an E.164
// number finds nothing.
var phoneIndex = map[string]string{
	"phone":       "hs_searchable_calculated_phone_number",
	"mobilephone": "hs_searchable_calculated_mobile_number",
}

// find runs a search and gives each result to hit, page by page. Where there are
// more than HubSpot gives, the error is CodeTooMany.
func (c *Connector) find(ctx context.Context, object string, q wireSearch, hit func(wireRecord)) *connectors.Error {
	q.Limit = searchPage
	q.Sorts = []string{}
	for seen := 0; ; {
		var answer wireSearched
		err := c.call(ctx, httpx.Request{Method: http.MethodPost, Path: c.objectPath(object, "/search"), Body: q, Repeatable: true, Limiter: c.search}, &answer)
		if err != nil {
			if err.Kind == connectors.RateLimited && err.Code == secondly {
				err.Account = false // of searches only
			}
			return err
		}
		for _, r := range answer.Results {
			hit(r)
		}
		seen += len(answer.Results)
		q.After = answer.Paging.Next.After
		if q.After == "" || len(answer.Results) == 0 {
			return nil
		}
		if seen+searchPage > searchMost {
			return &connectors.Error{Kind: connectors.Ambiguous, Code: connectors.CodeTooMany, Message: "HubSpot finds more records than can be looked through"}
		}
	}
}

// searchParts cuts a list so that the search made of each part is within the
// limits.
func searchParts[T any](list []T, most int, make func([]T) wireSearch) [][]T {
	fits := func(part []T) bool {
		q := make(part)
		q.Limit, q.Sorts, q.After = searchPage, []string{}, strconv.Itoa(searchMost)
		text, err := json.Marshal(q)
		return err == nil && len(text) <= searchBody
	}
	var out [][]T
	for len(list) > 0 {
		n := min(most, len(list))
		for n > 1 && !fits(list[:n]) {
			n -= max(1, n/8)
		}
		out = append(out, list[:n])
		list = list[n:]
	}
	return out
}

func (c *Connector) eachPart(ctx context.Context, b bucket, most int, make func([]probe) wireSearch, fits func(*probe, wireRecord) bool) {
	search := func(ctx context.Context, part []probe) *connectors.Error {
		return c.find(ctx, b.object, make(part), func(r wireRecord) {
			for i := range part {
				if fits(&part[i], r) {
					part[i].hit(b.schema, r)
				}
			}
		})
	}
	refused := func(p probe, err *connectors.Error) { p.fail(err) }
	connectors.Parallel(searchParts(b.probes, most, make), width, func(part []probe) { connectors.Isolate(ctx, part, search, refused) })
}

// searchValues looks for many values of one property at once.
func (c *Connector) searchValues(ctx context.Context, b bucket) {
	f := b.schema.Fields[b.fields]
	c.eachPart(ctx, b, 500, func(part []probe) wireSearch {
		var values []string
		for _, p := range part {
			values = append(values, searchText(f, p.texts[0]))
		}
		return wireSearch{
			FilterGroups: []wireGroup{{[]wireFilter{{Property: f.Name, Operator: "IN", Values: distinct(values)}}}},
			Properties:   properties(part, f.Name),
		}
	}, func(p *probe, r wireRecord) bool { return sameText(f, r.text(f.Name), p.texts[0]) })
}

// searchPhones looks for numbers by their national digits, and believes a
// result only if the whole number is the same.
func (c *Connector) searchPhones(ctx context.Context, b bucket) {
	shown := []string{b.fields}
	var index []string
	if phoneIndex[b.fields] != "" {
		shown = nil
		for _, name := range []string{"phone", "mobilephone"} {
			if _, ok := b.schema.Fields[phoneIndex[name]]; ok {
				shown, index = append(shown, name), append(index, phoneIndex[name])
			}
		}
	}
	if index == nil {
		shown, index = []string{b.fields}, []string{b.fields}
	}
	var known []probe
	for _, p := range b.probes {
		if _, ok := connectors.ParsePhone(p.texts[0], c.coercion.Country); ok {
			known = append(known, p)
		}
	}
	b.probes = known
	c.eachPart(ctx, b, 500, func(part []probe) wireSearch {
		var digits []string
		for _, p := range part {
			n, _ := connectors.ParsePhone(p.texts[0], c.coercion.Country)
			if index[0] == b.fields {
				digits = append(digits, append(n.Digits(), n.E164)...)
			} else {
				digits = append(digits, n.National)
			}
		}
		q := wireSearch{Properties: properties(part, slices.Clone(shown)...)}
		for _, name := range index {
			q.FilterGroups = append(q.FilterGroups, wireGroup{[]wireFilter{{Property: name, Operator: "IN", Values: distinct(digits)}}})
		}
		return q
	}, func(p *probe, r wireRecord) bool {
		return slices.ContainsFunc(shown, func(name string) bool {
			return connectors.SamePhone(r.text(name), p.texts[0], c.coercion.Country)
		})
	})
}

// searchTerms looks for keys of which all fields must be equal.
func (c *Connector) searchTerms(ctx context.Context, b bucket) {
	names := strings.Split(b.fields, "\x00")
	most := min(searchGroups, max(1, searchAll/len(names)))
	c.eachPart(ctx, b, most, func(part []probe) wireSearch {
		q := wireSearch{Properties: properties(part, slices.Clone(names)...)}
		for _, p := range part {
			q.FilterGroups = append(q.FilterGroups, wireGroup{c.filters(b.schema, names, p.texts)})
		}
		return q
	}, func(p *probe, r wireRecord) bool {
		for i, name := range names {
			if !c.holds(b.schema.Fields[name], name, r, p.texts[i]) {
				return false
			}
		}
		return true
	})
}

// filters ask for records that may have all the values.
func (c *Connector) filters(o connectors.Object, names, texts []string) []wireFilter {
	var out []wireFilter
	for i, name := range names {
		f := o.Fields[name]
		switch number, ok := connectors.ParsePhone(texts[i], c.coercion.Country); {
		case name == connectors.ID:
			out = append(out, wireFilter{Property: "hs_object_id", Operator: "EQ", Value: texts[i]})
		case f.Type == connectors.Phone && ok && phoneIndex[name] != "":
			out = append(out, wireFilter{Property: phoneIndex[name], Operator: "EQ", Value: number.National})
		default:
			out = append(out, wireFilter{Property: name, Operator: "EQ", Value: searchText(f, texts[i])})
		}
	}
	return out
}

func (c *Connector) holds(f connectors.Field, name string, r wireRecord, text string) bool {
	switch {
	case name == connectors.ID:
		return r.ID == text
	case f.Type == connectors.Phone:
		return connectors.SamePhone(r.text(name), text, c.coercion.Country)
	}
	return sameText(f, r.text(name), text)
}

// searchText is a value as search wants it: times as milliseconds, text in
// lower case.
func searchText(f connectors.Field, text string) string {
	switch f.Type {
	case connectors.Date, connectors.DateTime:
		if t, _, ok := connectors.AsTime(text, time.UTC); ok {
			return strconv.FormatInt(t.UnixMilli(), 10)
		}
	case connectors.Text, connectors.LongText, connectors.HTML, connectors.Email, connectors.URL:
		return strings.ToLower(text)
	}
	return text
}

// sameText compares as search does: without regard to case in text.
func sameText(f connectors.Field, have, want string) bool {
	switch f.Type {
	case connectors.Date, connectors.DateTime, connectors.Number, connectors.Duration:
		a, b := connectors.Decode(f, have), connectors.Decode(f, want)
		if t, ok := a.(time.Time); ok {
			u, ok := b.(time.Time)
			return ok && t.Equal(u)
		}
		return a != nil && connectors.Canonical(a) == connectors.Canonical(b) // 12.00 is 12
	}
	return have != "" && strings.EqualFold(have, want)
}

func distinct(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
