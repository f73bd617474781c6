package sandbox

import (
	"net/http"
	"strconv"
	"strings"
)

// objectPaths serves /crm/objects/2026-09/{type}… and its v3 twin.
func (h *hubspot) objectPaths(c *call, rest []string) answer {
	o := h.object(rest[0])
	if o == nil {
		return hsNoObjectType(rest[0]).answer()
	}
	route := c.method + " " + strings.Join(rest[1:], "/")
	switch route {
	case "GET ":
		return h.list(c, o)
	case "POST ":
		return h.createOne(c, o)
	case "POST search":
		return h.searchObjects(c, o)
	case "POST merge":
		return h.mergeTwo(c, o)
	case "POST gdpr-delete":
		return h.gdprDelete(c, o)
	case "POST batch/create", "POST batch/update", "POST batch/upsert":
		return h.batchWrite(c, o, rest[2])
	case "POST batch/read":
		return h.batchRead(c, o)
	case "POST batch/archive":
		return h.batchArchive(c, o)
	}
	if len(rest) != 2 {
		return hsNotFoundPath().answer()
	}
	switch c.method {
	case http.MethodGet:
		return h.getOne(c, o, rest[1])
	case http.MethodPatch:
		return h.updateOne(c, o, rest[1])
	case http.MethodDelete:
		h.archive(o, rest[1])
		return answer{status: http.StatusNoContent} // also where nothing was
	default:
		return hsWrongMethod().answer()
	}
}

// wanted reads a list of names that is repeated, or separated by commas.
func wanted(c *call, key string) []string {
	var out []string
	for _, v := range c.query[key] {
		for name := range strings.SplitSeq(v, ",") {
			if name = strings.TrimSpace(name); name != "" {
				out = append(out, name)
			}
		}
	}
	return out
}

func (h *hubspot) list(c *call, o *hsObject) answer {
	limit := 10
	if text := c.query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 100 {
			return hsInvalid("limit must be between 1 and 100").answer()
		}
		limit = n
	}
	after := 0
	if text := c.query.Get("after"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return hsInvalid("after is not a valid paging token").answer()
		}
		after = n
	}
	if c.query.Get("archived") == "true" {
		return jsonAnswer(http.StatusOK, map[string]any{"results": []any{}})
	}
	results := []any{}
	body := map[string]any{}
	for _, r := range o.records {
		if n, _ := strconv.Atoi(r.id); n < after {
			continue
		}
		if len(results) == limit {
			body["paging"] = map[string]any{"next": map[string]string{"after": r.id, "link": "?after=" + r.id}}
			break
		}
		results = append(results, h.shown(c, r))
	}
	body["results"] = results
	return jsonAnswer(http.StatusOK, body)
}

// shown is a record with the properties and associations that the query asks for.
func (h *hubspot) shown(c *call, r *hsRecord) map[string]any {
	out := r.wire(wanted(c, "properties"))
	assoc := map[string]any{}
	for _, name := range wanted(c, "associations") {
		to := h.object(name)
		if to == nil {
			continue
		}
		results := []any{}
		for _, l := range r.links {
			if l.to.object == to {
				results = append(results, map[string]string{"id": l.to.id, "type": r.object.singular + "_to_" + to.singular})
			}
		}
		if len(results) > 0 {
			assoc[to.name] = map[string]any{"results": results}
		}
	}
	if len(assoc) > 0 {
		out["associations"] = assoc
	}
	return out
}

func (h *hubspot) createOne(c *call, o *hsObject) answer {
	var in struct {
		Properties map[string]any  `json:"properties"`
		Assoc      []hsAssociation `json:"associations"`
		Trace      string          `json:"objectWriteTraceId"`
	}
	if e := hsDecode(c, &in); e != nil {
		return e.answer()
	}
	p, e := h.planCreate(o, hsInput{Properties: in.Properties, Assoc: in.Assoc}, hsClaims{})
	if e != nil {
		return e.answer()
	}
	return jsonAnswer(http.StatusCreated, h.apply(p, c.now).full())
}

// byQuery finds the record of a path, by id or by the query's idProperty.
func (h *hubspot) byQuery(c *call, o *hsObject, id string) (*hsRecord, *hsError) {
	property := c.query.Get("idProperty")
	if p := o.byName[property]; property != "" && (p == nil || !p.Unique && (o.name != "contacts" || property != "email")) {
		return nil, hsInvalid("Property %q is not a unique property of %s", property, o.name)
	}
	r := o.find(property, id)
	if r == nil {
		return nil, hsNoRecord(id)
	}
	return r, nil
}

func (h *hubspot) getOne(c *call, o *hsObject, id string) answer {
	if c.query.Get("archived") == "true" {
		if r := o.gone[id]; r != nil {
			return jsonAnswer(http.StatusOK, h.shown(c, r))
		}
	}
	r, e := h.byQuery(c, o, id)
	if e != nil {
		return e.answer()
	}
	return jsonAnswer(http.StatusOK, h.shown(c, r))
}

func (h *hubspot) updateOne(c *call, o *hsObject, id string) answer {
	var in struct {
		Properties map[string]any `json:"properties"`
		Trace      string         `json:"objectWriteTraceId"`
	}
	if e := hsDecode(c, &in); e != nil {
		return e.answer()
	}
	if in.Properties == nil {
		return hsInvalid("properties is required").answer()
	}
	r, e := h.byQuery(c, o, id)
	if e != nil {
		return e.answer()
	}
	p, e := h.planUpdate(o, r, hsInput{Properties: in.Properties}, hsClaims{})
	if e != nil {
		return e.answer()
	}
	return jsonAnswer(http.StatusOK, h.apply(p, c.now).full())
}

func (h *hubspot) mergeTwo(c *call, o *hsObject) answer {
	var in struct {
		Primary hsID `json:"primaryObjectId"`
		Other   hsID `json:"objectIdToMerge"`
	}
	if e := hsDecode(c, &in); e != nil {
		return e.answer()
	}
	primary, other := o.byID[string(in.Primary)], o.byID[string(in.Other)]
	switch {
	case primary == nil:
		return hsNoRecord(string(in.Primary)).answer()
	case other == nil:
		return hsNoRecord(string(in.Other)).answer()
	case primary == other:
		return hsInvalid("An object cannot be merged with itself").answer()
	}
	return jsonAnswer(http.StatusOK, h.merge(o, primary, other, c.now).full())
}

func (h *hubspot) gdprDelete(c *call, o *hsObject) answer {
	var in struct {
		ID         string `json:"objectId"`
		IDProperty string `json:"idProperty"`
	}
	if e := hsDecode(c, &in); e != nil {
		return e.answer()
	}
	if r := o.find(in.IDProperty, in.ID); r != nil {
		h.archive(o, r.id)
		delete(o.gone, r.id)
	}
	return answer{status: http.StatusNoContent}
}
