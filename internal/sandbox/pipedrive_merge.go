package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// mergeTwo serves PUT /v1/{persons,organizations}/{id}/merge. The record of the
// path is deleted, and nothing of it tells where it went; what merge_with_id
// names gets what it does not have itself.
func (p *pipedrive) mergeTwo(c *call, o *pdObject, id string) answer {
	if c.method != http.MethodPut {
		return pdWrongMethod().answer()
	}
	body, e := pdDecode(c)
	if e != nil {
		return e.answer()
	}
	for name := range body {
		if name != "merge_with_id" {
			return pdInvalid("Validation failed: '%s' is not allowed", name).answer()
		}
	}
	with, ok := body["merge_with_id"].(json.Number)
	if !ok {
		return pdInvalid("merge_with_id must be an integer").answer()
	}
	from, to := o.byID[id], o.byID[with.String()]
	switch {
	case from == nil || from.deleted || to == nil || to.deleted:
		return pdError(http.StatusNotFound, "%s not found", o.single).answer()
	case from == to:
		return pdInvalid("A record cannot be merged with itself").answer()
	}
	p.merge(o, from, to, c.now)
	if o.name == "organizations" {
		return pdData(http.StatusOK, map[string]any{"id": json.Number(to.id)}, nil)
	}
	return pdData(http.StatusOK, map[string]any{"id": json.Number(to.id), "name": to.values["name"], "active_flag": true,
		"email": pdList(to.values["emails"]), "phone": pdList(to.values["phones"]), "merge_what_id": json.Number(from.id)}, nil)
}

// merge moves what is linked to a record, and what the other one lacks.
func (p *pipedrive) merge(o *pdObject, from, to *pdRecord, now time.Time) {
	values := map[string]any{}
	for name, v := range from.values {
		list, isList := to.values[name].([]any)
		switch {
		case to.values[name] == nil:
			values[name] = v
		case isList && (name == "emails" || name == "phones"):
			for _, x := range pdList(v) {
				one, _ := x.(map[string]any)
				same := func(y any) bool { other, _ := y.(map[string]any); return other["value"] == one["value"] }
				if !slices.ContainsFunc(list, same) {
					list = append(list, map[string]any{"value": one["value"], "primary": false, "label": one["label"]})
				}
			}
			values[name] = list
		}
	}
	from.deleted, from.updated = true, now
	p.store(to, values, now)
	names := []string{"person_id"}
	if o.name == "organizations" {
		names = []string{"org_id", "organization_id"}
	}
	for _, other := range p.objects {
		for _, r := range other.records {
			moved := map[string]any{}
			for _, name := range names {
				if pdText(r.values[name]) == from.id {
					moved[name] = json.Number(to.id)
				}
			}
			if list := pdList(r.values["participants"]); o.name == "persons" && len(list) > 0 {
				moved["participants"] = movedPeople(list, from.id, to.id)
			}
			if len(moved) > 0 {
				p.store(r, moved, now)
			}
		}
	}
}

// movedPeople has one person take another one's place among participants, once.
func movedPeople(list []any, from, to string) []any {
	var out []any
	for _, x := range list {
		one, _ := x.(map[string]any)
		id := pdText(one["person_id"])
		if id == from {
			id = to
		}
		if !slices.ContainsFunc(out, func(y any) bool { other, _ := y.(map[string]any); return pdText(other["person_id"]) == id }) {
			out = append(out, map[string]any{"person_id": json.Number(id), "primary": one["primary"]})
		}
	}
	return out
}
