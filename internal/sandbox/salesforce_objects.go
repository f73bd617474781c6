package sandbox

import (
	"fmt"
	"net/http"
	"strings"
)

// objectPaths serves /sobjects and what is below it.
func (s *salesforce) objectPaths(c *call, rest []string) answer {
	if len(rest) == 0 {
		if c.method != http.MethodGet {
			return sfWrongMethod(c.method).answer()
		}
		var list []any
		for _, o := range s.objects {
			list = append(list, o.head())
		}
		return jsonAnswer(http.StatusOK, map[string]any{"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": list})
	}
	o := s.object(rest[0])
	if o == nil {
		return sfNoResource().answer()
	}
	switch {
	case len(rest) == 1 && c.method == http.MethodPost:
		return s.post(c, o)
	case len(rest) == 1 && c.method == http.MethodGet:
		return jsonAnswer(http.StatusOK, map[string]any{"objectDescribe": o.head(), "recentItems": []any{}})
	case len(rest) == 2 && rest[1] == "describe" && c.method == http.MethodGet:
		return s.describe(c, o)
	case len(rest) == 2:
		r := o.byID[sfFull(rest[1])]
		if r == nil {
			return sfErr(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist").answer()
		}
		return s.one(c, o, r)
	case len(rest) == 3:
		return s.external(c, o, rest[1], rest[2])
	}
	return sfNoResource().answer()
}

func sfFull(id string) string {
	if len(id) == 15 {
		return sfLongID(id)
	}
	return id
}

// allowsDuplicates reads the header that switches duplicate rules to a warning.
func allowsDuplicates(c *call) bool {
	return strings.Contains(strings.ReplaceAll(strings.ToLower(c.header.Get("Sforce-Duplicate-Rule-Header")), " ", ""), "allowsave=true")
}

func sfInput(c *call) (map[string]any, *sfError) {
	fields, err := decodeFields(c.body)
	if err != nil {
		return nil, sfBad("JSON_PARSER_ERROR", "Unexpected end-of-input or character at [line:1, column:1]")
	}
	return fields, nil
}

func (s *salesforce) post(c *call, o *sfObject) answer {
	input, e := sfInput(c)
	if e != nil {
		return e.answer()
	}
	if o.name == "User" {
		return sfErr(http.StatusForbidden, "INSUFFICIENT_ACCESS", "insufficient access rights").answer()
	}
	r, e := s.save(sfWrite{object: o, input: input, allowDuplicates: allowsDuplicates(c), now: c.now})
	if e != nil {
		return e.answer()
	}
	return jsonAnswer(http.StatusCreated, sfSaved(r.id, nil))
}

// sfSaved is the answer to a record that was written; created is for upserts.
func sfSaved(id string, created any) map[string]any {
	out := map[string]any{"id": id, "success": true, "errors": []any{}}
	if created != nil {
		out["created"] = created
	}
	return out
}

func (s *salesforce) one(c *call, o *sfObject, r *sfRecord) answer {
	if r.deleted {
		return sfErr(http.StatusNotFound, "ENTITY_IS_DELETED", "entity is deleted").answer()
	}
	switch c.method {
	case http.MethodGet, http.MethodHead:
		names := []string{}
		if list := c.query.Get("fields"); list != "" {
			names = strings.Split(list, ",")
		}
		out, e := o.show(r, names)
		if e != nil {
			return e.answer()
		}
		return jsonAnswer(http.StatusOK, out)
	case http.MethodPatch:
		input, e := sfInput(c)
		if e != nil {
			return e.answer()
		}
		if _, e := s.save(sfWrite{object: o, record: r, input: input, allowDuplicates: allowsDuplicates(c), now: c.now}); e != nil {
			return e.answer()
		}
		return answer{status: http.StatusNoContent}
	case http.MethodDelete:
		r.bury()
		return answer{status: http.StatusNoContent}
	}
	return sfWrongMethod(c.method).answer()
}

// external serves /sobjects/{object}/{field}/{value}.
func (s *salesforce) external(c *call, o *sfObject, name, value string) answer {
	f := o.field(name)
	if f == nil || !f.idLookup {
		return sfErr(http.StatusNotFound, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: "+name).answer()
	}
	if f.name == "Id" {
		if r := o.byID[sfFull(value)]; r != nil {
			return s.one(c, o, r)
		}
		return sfNoResource().answer()
	}
	found := o.holding(f, value)
	if len(found) > 1 {
		var urls []string
		for _, r := range found {
			urls = append(urls, fmt.Sprint(sfAttributes(o, r.id)["url"]))
		}
		return jsonAnswer(http.StatusMultipleChoices, urls)
	}
	if c.method != http.MethodPatch {
		if len(found) == 0 {
			return sfNoResource().answer()
		}
		return s.one(c, o, found[0])
	}
	input, e := sfInput(c)
	if e != nil {
		return e.answer()
	}
	if len(found) == 0 && c.query.Get("updateOnly") == "true" {
		return sfNoResource().answer()
	}
	r, created, e := s.upsert(c, o, f, value, input)
	if e != nil {
		return e.answer()
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return jsonAnswer(status, sfSaved(r.id, created))
}

// upsert writes the record that has the value, or a new one with it.
func (s *salesforce) upsert(c *call, o *sfObject, f *sfField, value any, input map[string]any) (*sfRecord, bool, *sfError) {
	for name := range input {
		if strings.EqualFold(name, f.name) {
			return nil, false, sfBad("INVALID_FIELD", "The "+f.name+" field should not be specified in the sobject data.")
		}
	}
	values, e := s.parse(o, input)
	if e != nil {
		return nil, false, e
	}
	w := sfWrite{object: o, input: input, allowDuplicates: allowsDuplicates(c), now: c.now}
	switch found := o.holding(f, value); len(found) {
	case 0:
		values[f.name] = value
	case 1:
		w.record = found[0]
	default:
		var ids []string
		for _, r := range found {
			ids = append(ids, r.id)
		}
		return nil, false, sfBad("DUPLICATE_EXTERNAL_ID", f.name+": more than one record found for external id field: ["+strings.Join(ids, ", ")+"]", f.name)
	}
	r, e := s.saveValues(w, values)
	return r, w.record == nil, e
}

func sfAttributes(o *sfObject, id string) map[string]any {
	return map[string]any{"type": o.name, "url": fmt.Sprintf("/services/data/v%d.0/sobjects/%s/%s", sfVersion, o.name, id)}
}

// show is a record as JSON; no names mean all fields.
func (o *sfObject) show(r *sfRecord, names []string) (map[string]any, *sfError) {
	if len(names) == 0 {
		for _, f := range o.fields {
			names = append(names, f.name)
		}
	}
	out := map[string]any{"attributes": sfAttributes(o, r.id), "Id": r.id}
	for _, name := range names {
		f := o.field(strings.TrimSpace(name))
		if f == nil {
			return nil, sfBad("INVALID_FIELD", "No such column '"+strings.TrimSpace(name)+"' on entity '"+o.name+"'")
		}
		out[f.name] = r.values[f.name]
	}
	return out, nil
}
