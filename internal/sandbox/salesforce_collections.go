package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
)

const (
	// sfMost is the most records of a collection (sObject Collections, 2026-11).
	sfMost = 200
	// sfMostRead is the most records of one that is read by POST.
	sfMostRead = 2000
	// sfMostChunks is how often the type may change within a collection.
	sfMostChunks = 10
)

type sfCollection struct {
	AllOrNone bool             `json:"allOrNone"`
	Records   []map[string]any `json:"records"`
}

// collections serves /composite/sobjects and what is below it.
func (s *salesforce) collections(c *call, rest []string) answer {
	if len(rest) == 1 && (c.method == http.MethodGet || c.method == http.MethodPost) {
		return s.retrieve(c, rest[0])
	}
	if len(rest) == 0 && c.method == http.MethodDelete {
		return s.removeMany(c)
	}
	if !(len(rest) == 0 && (c.method == http.MethodPost || c.method == http.MethodPatch) || len(rest) == 2 && c.method == http.MethodPatch) {
		return sfNoResource().answer()
	}
	var in sfCollection
	dec := json.NewDecoder(bytes.NewReader(c.body))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	if dec.Decode(&in) != nil || in.Records == nil {
		return sfBad("JSON_PARSER_ERROR", "The request body is no collection at [line:1, column:1]").answer()
	}
	if len(in.Records) > sfMost {
		return sfBad("INVALID_INPUT", fmt.Sprintf("Maximum number of records exceeded: %d", sfMost)).answer()
	}
	steps, e := s.collection(c, rest, in)
	if e != nil {
		return e.answer()
	}
	return jsonAnswer(http.StatusOK, s.run(c, steps, in.AllOrNone))
}

// sfStep writes one record of a collection and gives its row.
type sfStep func() (map[string]any, *sfError)

// collection checks what the whole request depends on.
func (s *salesforce) collection(c *call, rest []string, in sfCollection) ([]sfStep, *sfError) {
	var steps []sfStep
	var keys []string // by step, what may be there once only
	seen := map[string]int{}
	chunks, last := 0, ""
	for _, raw := range in.Records {
		attributes, _ := raw["attributes"].(map[string]any)
		name, _ := attributes["type"].(string)
		o := s.object(name)
		if o == nil {
			return nil, sfErr(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
		}
		if o.name != last {
			chunks, last = chunks+1, o.name
		}
		input := maps.Clone(raw)
		delete(input, "attributes")
		step, key, e := s.step(c, rest, o, input)
		if e != nil {
			return nil, e
		}
		steps, keys = append(steps, step), append(keys, key)
		seen[key]++
	}
	if chunks > sfMostChunks {
		return nil, sfBad("LIMIT_EXCEEDED", fmt.Sprintf("Maximum number of chunks exceeded: %d", sfMostChunks))
	}
	for n, key := range keys {
		if key != "" && seen[key] > 1 {
			steps[n] = func() (map[string]any, *sfError) {
				if len(rest) == 2 {
					return nil, sfBad("DUPLICATE_EXTERNAL_ID", "Duplicate external id specified: "+key)
				}
				return nil, sfBad("INVALID_ID_FIELD", "Duplicate id specified: "+key)
			}
		}
	}
	return steps, nil
}

// step reads one record of a collection. key is what may be there once only.
func (s *salesforce) step(c *call, rest []string, o *sfObject, input map[string]any) (step sfStep, key string, e *sfError) {
	id := ""
	for name, v := range input {
		if strings.EqualFold(name, "id") {
			id, _ = v.(string)
			delete(input, name)
		}
	}
	if len(rest) == 2 {
		return s.upsertStep(c, rest, o, input)
	}
	if _, e := s.parse(o, input); e != nil {
		return nil, "", e
	}
	w := sfWrite{object: o, input: input, allowDuplicates: allowsDuplicates(c), now: c.now}
	if c.method == http.MethodPost {
		if id != "" {
			return func() (map[string]any, *sfError) {
				return nil, sfBad("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", "Id")
			}, "", nil
		}
		return func() (map[string]any, *sfError) {
			r, e := s.save(w)
			if e != nil {
				return nil, e
			}
			return sfSaved(r.id, nil), nil
		}, "", nil
	}
	return func() (map[string]any, *sfError) {
		switch to, r := s.byID(id); {
		case id == "":
			return nil, sfBad("MISSING_ARGUMENT", "Id not specified in an update call")
		case to != o:
			return nil, sfBad("MALFORMED_ID", "bad id "+id)
		case r == nil:
			return nil, sfBad("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
		default:
			w.record = r
		}
		r, e := s.save(w)
		if e != nil {
			return nil, e
		}
		return sfSaved(r.id, nil), nil
	}, sfFull(id), nil
}

func (s *salesforce) upsertStep(c *call, rest []string, o *sfObject, input map[string]any) (sfStep, string, *sfError) {
	f := o.field(rest[1])
	if !strings.EqualFold(o.name, rest[0]) || f == nil || !f.externalID {
		return nil, "", sfErr(http.StatusNotFound, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: "+rest[1])
	}
	values, e := s.parse(o, input)
	if e != nil {
		return nil, "", e
	}
	value := values[f.name]
	for name := range input {
		if strings.EqualFold(name, f.name) {
			delete(input, name)
		}
	}
	return func() (map[string]any, *sfError) {
		if value == nil {
			return nil, sfBad("MISSING_ARGUMENT", f.name+" not specified", f.name)
		}
		r, created, e := s.upsert(c, o, f, value, input)
		if e != nil {
			return nil, e
		}
		return sfSaved(r.id, created), nil
	}, strings.ToLower(fmt.Sprint(value)), nil
}

// run does the steps one after the other. With allOrNone a failure undoes all.
func (s *salesforce) run(c *call, steps []sfStep, allOrNone bool) []any {
	before := s.snapshot(allOrNone)
	rows := make([]any, len(steps))
	failed := false
	for n, step := range steps {
		var row map[string]any
		var e *sfError
		if c.partial != nil && n == len(steps)-1 {
			e = sfPartial(c.partial)
		} else {
			row, e = step()
		}
		if e != nil {
			row, failed = e.row(), true
		}
		rows[n] = row
	}
	if allOrNone && failed {
		before()
		for n, row := range rows {
			if row.(map[string]any)["success"] == true {
				rows[n] = sfBad("ALL_OR_NONE_OPERATION_ROLLED_BACK", "Record rolled back because not all records were valid and the request was using AllOrNone header").row()
			}
		}
	}
	return rows
}

// snapshot returns what brings everything back to now.
func (s *salesforce) snapshot(wanted bool) (undo func()) {
	if !wanted {
		return func() {}
	}
	var back []func()
	for _, o := range s.objects {
		records, byID := append([]*sfRecord(nil), o.records...), maps.Clone(o.byID)
		back = append(back, func() { o.records, o.byID = records, byID })
		for _, r := range o.records {
			was := *r
			was.values, was.related = maps.Clone(r.values), maps.Clone(r.related)
			back = append(back, func() { *r = was })
		}
	}
	return func() {
		for _, f := range back {
			f()
		}
		for _, o := range s.objects {
			o.index()
		}
	}
}
