package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// pdSearchable are the types of custom fields that search knows.
var pdSearchable = []string{"address", "varchar", "text", "varchar_auto", "double", "monetary", "phone"}

// texts are the values of a record in which a search for the fields looks.
func (r *pdRecord) texts(fields string, values map[string]any) []string {
	var out []string
	for field := range strings.SplitSeq(fields, ",") {
		switch field {
		case "name", "title":
			out = append(out, pdText(values[field]))
		case "email", "phone":
			for _, x := range pdList(values[field+"s"]) {
				out = append(out, pdText(x.(map[string]any)["value"]))
			}
		case "address":
			group, _ := values["address"].(map[string]any)
			out = append(out, pdText(group["value"]))
		case "notes":
			out = append(out, pdText(values["notes"]))
		case "custom_fields":
			for _, f := range r.object.fields {
				if f.custom && slices.Contains(pdSearchable, f.typ) {
					out = append(out, pdText(values[f.code]))
				}
			}
		}
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

// searchObject serves /{object}/search. Values are matched as they are stored:
// a number that was typed with spaces is not found without them.
func (p *pipedrive) searchObject(c *call, o *pdObject) answer {
	for name := range c.query {
		if !slices.Contains([]string{"term", "fields", "exact_match", "limit", "cursor", "organization_id", "person_id", "status", "include_fields", "api_token"}, name) {
			return pdInvalid("Validation failed: the parameter '%s' is not allowed", name).answer()
		}
	}
	fields := orElse(c.query.Get("fields"), o.search)
	for f := range strings.SplitSeq(fields, ",") {
		if !slices.Contains(strings.Split(o.search, ","), f) {
			return pdInvalid("Validation failed: 'fields' must be one of [%s]", o.search).answer()
		}
	}
	items, e := p.search1(c, o, fields)
	if e != nil {
		return e.answer()
	}
	return p.searchPage(c, items)
}

func (p *pipedrive) search1(c *call, o *pdObject, fields string) ([]any, *pdErr) {
	exact := c.query.Get("exact_match") == "true" || c.query.Get("exact_match") == "1"
	term := strings.ToLower(c.query.Get("term"))
	if n := utf8.RuneCountInString(term); n < 1 || n < 2 && !exact {
		return nil, pdInvalid("Validation failed: 'term' must have at least 2 characters")
	}
	items := []any{}
	for _, r := range o.records {
		values := r.seen(c.now, p.opts.SearchDelay)
		if r.deleted || values == nil {
			continue
		}
		if slices.ContainsFunc(r.texts(fields, values), func(s string) bool {
			s = strings.ToLower(s)
			return s == term || !exact && strings.Contains(s, term)
		}) {
			items = append(items, map[string]any{"result_score": 0.5, "item": p.hit(r, values)})
		}
	}
	return items, nil
}

// hit is a record as search shows it: plain values, without their fields.
func (p *pipedrive) hit(r *pdRecord, values map[string]any) map[string]any {
	o := r.object
	out := map[string]any{"type": strings.ToLower(o.single), "custom_fields": nonNil(r.texts("custom_fields", values)), "notes": []string{}}
	out["id"] = any(json.Number(r.id))
	if o.name == "leads" {
		out["id"] = r.id
	}
	visible, _ := strconv.Atoi(pdText(values["visible_to"]))
	owner, _ := strconv.Atoi(pdText(values["owner_id"]))
	out["visible_to"], out["owner"] = visible, map[string]any{"id": owner}
	switch o.name {
	case "persons":
		out["name"], out["phones"], out["emails"] = values["name"], nonNil(r.texts("phone", values)), nonNil(r.texts("email", values))
	case "organizations":
		out["name"], out["address"] = values["name"], nil
	case "deals":
		out["title"], out["status"], out["currency"] = values["title"], values["status"], values["currency"]
	case "leads":
		out["title"], out["is_archived"] = values["title"], values["is_archived"]
	}
	return out
}

func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func (p *pipedrive) searchPage(c *call, items []any) answer {
	limit, start := 100, 0
	if text := c.query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > pdMaxPage {
			return pdInvalid("Validation failed: 'limit' must be from 1 to %d", pdMaxPage).answer()
		}
		limit = n
	}
	if text := c.query.Get("cursor"); text != "" {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		n, err2 := strconv.Atoi(string(raw))
		if err != nil || err2 != nil || n < 0 {
			return pdInvalid("Validation failed: 'cursor' is not valid").answer()
		}
		start = n
	}
	var next any
	if start+limit < len(items) {
		next = base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(start + limit)))
	}
	page := items[min(start, len(items)):min(start+limit, len(items))]
	return pdData(http.StatusOK, map[string]any{"items": page}, map[string]any{"next_cursor": next})
}

// itemSearch serves the search over several objects, and that of one field.
func (p *pipedrive) itemSearch(c *call, rest []string) answer {
	switch {
	case c.method != http.MethodGet:
		return pdWrongMethod().answer()
	case len(rest) == 1 && rest[0] == "field":
		return p.fieldSearch(c)
	case len(rest) > 0:
		return pdUnknownPath().answer()
	}
	singles := map[string]string{"person": "persons", "organization": "organizations", "deal": "deals", "lead": "leads"}
	wanted := strings.Split(orElse(c.query.Get("item_types"), "person,organization,deal,lead"), ",")
	all := []any{}
	for _, single := range wanted {
		o := p.object(singles[single])
		if o == nil {
			return pdInvalid("Validation failed: 'item_types' is not valid").answer()
		}
		var fields []string
		for f := range strings.SplitSeq(orElse(c.query.Get("fields"), o.search), ",") {
			if slices.Contains(strings.Split(o.search, ","), f) {
				fields = append(fields, f)
			}
		}
		items, e := p.search1(c, o, strings.Join(fields, ","))
		if e != nil {
			return e.answer()
		}
		all = append(all, items...)
	}
	a := p.searchPage(c, all)
	if a.status == http.StatusOK {
		var body map[string]any
		_ = json.Unmarshal(a.body, &body) // our own
		body["data"].(map[string]any)["related_items"] = []any{}
		a = jsonAnswer(http.StatusOK, body)
	}
	return a
}

// fieldSearch finds records by one field, with regard to case.
func (p *pipedrive) fieldSearch(c *call) answer {
	o := p.object(map[string]string{"person": "persons", "organization": "organizations", "deal": "deals", "lead": "leads"}[c.query.Get("entity_type")])
	if o == nil {
		return pdInvalid("Validation failed: 'entity_type' is required").answer()
	}
	f := o.byCode[c.query.Get("field")]
	if f == nil || f.custom && !slices.Contains(pdSearchable, f.typ) {
		return pdInvalid("Validation failed: 'field' is not searchable").answer()
	}
	match, term := orElse(c.query.Get("match"), "exact"), c.query.Get("term")
	if n := utf8.RuneCountInString(term); n < 1 || n < 2 && match != "exact" {
		return pdInvalid("Validation failed: 'term' must have at least 2 characters").answer()
	}
	items := []any{}
	for _, r := range o.records {
		s := pdText(r.seen(c.now, p.opts.SearchDelay)[f.code])
		if !r.deleted && (s == term || match == "beginning" && strings.HasPrefix(s, term) || match == "middle" && strings.Contains(s, term)) {
			items = append(items, map[string]any{"result_score": 0.5, "item": map[string]any{"id": json.Number(r.id), f.code: s}})
		}
	}
	return pdData(http.StatusOK, items, map[string]any{"next_cursor": nil})
}
