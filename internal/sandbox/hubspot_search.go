package sandbox

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of the search endpoint (HubSpot search guide, 2026-11).
const (
	hsMaxGroups       = 5
	hsMaxFilters      = 6
	hsMaxAllFilters   = 18
	hsMaxSearchBody   = 3000
	hsMaxSearchPage   = 200
	hsMaxSearchResult = 10_000
)

type hsSearch struct {
	Query      string            `json:"query"`
	Limit      *int              `json:"limit"`
	After      json.RawMessage   `json:"after"`
	Sorts      []json.RawMessage `json:"sorts"`
	Properties []string          `json:"properties"`
	Groups     []struct {
		Filters []hsFilter `json:"filters"`
	} `json:"filterGroups"`
}

type hsFilter struct {
	Property  string `json:"propertyName"`
	Operator  string `json:"operator"`
	Value     any    `json:"value"`
	HighValue any    `json:"highValue"`
	Values    []any  `json:"values"`
}

func (h *hubspot) searchObjects(c *call, o *hsObject) answer {
	if len(c.body) > hsMaxSearchBody {
		return hsInvalid("The request body is longer than %d characters.", hsMaxSearchBody).answer()
	}
	var in hsSearch
	if e := hsDecode(c, &in); e != nil {
		return e.answer()
	}
	limit, after, e := in.page()
	if e != nil {
		return e.answer()
	}
	if e := in.check(o); e != nil {
		return e.answer()
	}
	less, e := in.order(o)
	if e != nil {
		return e.answer()
	}
	var found []*hsRecord
	for _, r := range o.records {
		if props := r.seen(c.now, h.opts.SearchDelay); props != nil && in.matches(h, r, props) {
			found = append(found, r)
		}
	}
	slices.SortStableFunc(found, less)

	results := []any{}
	for _, r := range found[min(after, len(found)):min(after+limit, len(found))] {
		results = append(results, r.wire(in.Properties))
	}
	body := map[string]any{"total": len(found), "results": results}
	if after+limit < len(found) {
		next := itoa(after + limit)
		body["paging"] = map[string]any{"next": map[string]string{"after": next, "link": "?after=" + next}}
	}
	return jsonAnswer(http.StatusOK, body)
}

// seen is the record as the search index knows it, nil where it does not yet.
func (r *hsRecord) seen(now time.Time, delay time.Duration) map[string]string {
	if delay <= 0 {
		return r.props
	}
	var props map[string]string
	for _, v := range r.versions {
		if now.Sub(v.from) >= delay {
			props = v.props
		}
	}
	return props
}

func (s *hsSearch) page() (limit, after int, e *hsError) {
	limit = 10
	if s.Limit != nil {
		limit = *s.Limit
	}
	if limit < 0 || limit > hsMaxSearchPage {
		return 0, 0, hsInvalid("limit must be between 0 and %d", hsMaxSearchPage)
	}
	text := strings.Trim(string(s.After), `"`)
	if text != "" && text != "null" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return 0, 0, hsInvalid("after must be an integer")
		}
		after = n
	}
	if after+limit > hsMaxSearchResult {
		return 0, 0, hsInvalid("A search returns at most %d results.", hsMaxSearchResult)
	}
	return limit, after, nil
}

func (s *hsSearch) check(o *hsObject) *hsError {
	total := 0
	for _, g := range s.Groups {
		total += len(g.Filters)
		if len(g.Filters) > hsMaxFilters {
			return hsInvalid("A filter group holds at most %d filters.", hsMaxFilters)
		}
	}
	if len(s.Groups) > hsMaxGroups || total > hsMaxAllFilters {
		return hsInvalid("At most %d filter groups and %d filters are allowed.", hsMaxGroups, hsMaxAllFilters)
	}
	for _, g := range s.Groups {
		for _, f := range g.Filters {
			if e := f.check(o); e != nil {
				return e
			}
		}
	}
	return nil
}

func (f hsFilter) check(o *hsObject) *hsError {
	problem := func(code, text string) *hsError {
		e := hsInvalid("There was a problem with the request.")
		e.details = []map[string]any{{"message": text, "code": code, "context": map[string][]string{"propertyName": {f.Property}}}}
		return e
	}
	if strings.HasPrefix(f.Property, "associations.") {
		if f.Operator != "EQ" && f.Operator != "IN" {
			return problem("INVALID_OPERATOR", "associations take EQ and IN")
		}
	} else if o.byName[f.Property] == nil {
		return problem("PROPERTY_DOESNT_EXIST", "Property "+strconv.Quote(f.Property)+" does not exist")
	}
	_, hasValue := hsText(f.Value)
	hasValue = hasValue && f.Value != nil && f.Value != ""
	switch f.Operator {
	case "EQ", "NEQ", "GT", "GTE", "LT", "LTE", "CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN":
		if !hasValue || f.Values != nil {
			return problem("INVALID_FILTER", f.Operator+" needs a value that is not empty")
		}
	case "BETWEEN":
		if !hasValue || f.HighValue == nil {
			return problem("INVALID_FILTER", "BETWEEN needs value and highValue")
		}
	case "IN", "NOT_IN":
		if len(f.Values) == 0 || f.Value != nil {
			return problem("INVALID_FILTER", f.Operator+" needs values")
		}
	case "HAS_PROPERTY", "NOT_HAS_PROPERTY":
	default:
		return problem("INVALID_OPERATOR", "unknown operator "+strconv.Quote(f.Operator))
	}
	return nil
}

func (s *hsSearch) order(o *hsObject) (func(a, b *hsRecord) int, *hsError) {
	if len(s.Sorts) > 1 {
		return nil, hsInvalid("Only one sort is allowed.")
	}
	property, down := "", false
	for _, raw := range s.Sorts {
		var by struct {
			Property  string `json:"propertyName"`
			Direction string `json:"direction"`
		}
		if json.Unmarshal(raw, &property) == nil {
			property, down = strings.TrimPrefix(property, "-"), strings.HasPrefix(property, "-")
		} else if json.Unmarshal(raw, &by) == nil {
			property, down = by.Property, by.Direction == "DESCENDING"
		}
		if o.byName[property] == nil {
			return nil, hsInvalid("The property %q of sorts does not exist.", property)
		}
	}
	return func(a, b *hsRecord) int {
		if property == "" {
			return 0 // the order of creation
		}
		p := o.byName[property]
		n := cmp.Compare(a.props[property], b.props[property])
		if x, ok := hsNumeric(p, a.props[property]); ok {
			if y, ok := hsNumeric(p, b.props[property]); ok {
				n = cmp.Compare(x, y)
			}
		}
		if down {
			return -n
		}
		return n
	}, nil
}
