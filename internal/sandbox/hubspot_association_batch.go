package sandbox

import (
	"net/http"
	"strings"
)

// hsMaxAssociations is the most inputs of an association batch (associations
// guide, 2026-11: 2,000 writes, 1,000 reads; the sandbox uses the lower for both).
const hsMaxAssociations = 1000

type hsPairInput struct {
	From  hsRef         `json:"from"`
	To    hsRef         `json:"to"`
	Types []hsAssocType `json:"types"`
}

// associationPaths serves /crm/associations/2026-09/{from}/{to}/… and its v4 twin.
func (h *hubspot) associationPaths(c *call, version string, rest []string) answer {
	from, to := h.object(rest[0]), h.object(rest[1])
	if from == nil {
		return hsNoObjectType(rest[0]).answer()
	}
	if to == nil {
		return hsNoObjectType(rest[1]).answer()
	}
	switch c.method + " " + strings.Join(rest[2:], "/") {
	case "GET labels":
		results := []any{}
		for _, p := range hsTypes(from, to) {
			results = append(results, p.shown())
		}
		return jsonAnswer(http.StatusOK, map[string]any{"results": results})
	case "POST labels":
		return h.createLabel(c, from, to)
	case "POST batch/associate/default":
		return h.associate(c, from, to, http.StatusOK, func(a, b *hsRecord, _ hsPairInput) ([]map[string]any, *hsError) {
			return linkDefault(a, b)
		})
	case "POST batch/create":
		status := http.StatusOK
		if version == "v4" {
			status = http.StatusCreated
		}
		return h.associate(c, from, to, status, func(a, b *hsRecord, in hsPairInput) ([]map[string]any, *hsError) {
			shown, e := linkTypes(a, b, in.Types)
			return []map[string]any{shown}, e
		})
	case "POST batch/read":
		return h.readAssociations(c, from, to)
	case "POST batch/archive":
		return h.dissociate(c, version, from, to)
	default:
		return hsNotFoundPath().answer()
	}
}

// associate joins pairs. A bad pair is reported beside the good ones.
func (h *hubspot) associate(c *call, from, to *hsObject, status int, join func(a, b *hsRecord, in hsPairInput) ([]map[string]any, *hsError)) answer {
	var in struct {
		Inputs []hsPairInput `json:"inputs"`
	}
	if e := hsDecode(c, &in); e != nil {
		return e.answer()
	}
	if len(in.Inputs) == 0 || len(in.Inputs) > hsMaxAssociations {
		return hsInvalid("Between 1 and %d inputs are allowed", hsMaxAssociations).answer()
	}
	var results, failed []map[string]any
	for i, input := range in.Inputs {
		a, b := from.byID[string(input.From.ID)], to.byID[string(input.To.ID)]
		var e *hsError
		var joined []map[string]any
		switch {
		case c.partial != nil && i == len(in.Inputs)-1:
			e = hsPartial(c.partial, true)
		case a == nil:
			e = hsNoRecord(string(input.From.ID))
		case b == nil:
			e = hsNoRecord(string(input.To.ID))
		default:
			joined, e = join(a, b, input)
		}
		if e != nil {
			one := e.inBatch("")
			one["context"] = map[string][]string{"fromObjectId": {string(input.From.ID)}, "toObjectId": {string(input.To.ID)}}
			failed = append(failed, one)
			continue
		}
		results = append(results, joined...)
	}
	return batchAnswer(status, c.now, results, failed)
}

func (h *hubspot) readAssociations(c *call, from, to *hsObject) answer {
	var in struct {
		Inputs []struct {
			ID    hsID   `json:"id"`
			After string `json:"after"`
		} `json:"inputs"`
	}
	if e := hsDecode(c, &in); e != nil {
		return e.answer()
	}
	if len(in.Inputs) == 0 || len(in.Inputs) > hsMaxAssociations {
		return hsInvalid("Between 1 and %d inputs are allowed", hsMaxAssociations).answer()
	}
	var results, failed []map[string]any
	for _, input := range in.Inputs {
		r := from.byID[string(input.ID)]
		var linked []map[string]any
		if r != nil {
			linked = r.linked(to)
		}
		if len(linked) == 0 {
			failed = append(failed, map[string]any{
				"status": "error", "category": "OBJECT_NOT_FOUND", "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
				"message": "No " + to.singular + " is associated with " + from.singular + " " + string(input.ID) + ".",
				"context": map[string][]string{"fromObjectId": {string(input.ID)}, "fromObjectType": {from.singular}, "toObjectType": {to.singular}},
			})
			continue
		}
		results = append(results, map[string]any{"from": map[string]string{"id": r.id}, "to": linked})
	}
	return batchAnswer(http.StatusOK, c.now, results, failed)
}

func (h *hubspot) dissociate(c *call, version string, from, to *hsObject) answer {
	var in struct {
		Inputs []struct {
			From hsRef   `json:"from"`
			To   []hsRef `json:"to"`
		} `json:"inputs"`
	}
	if e := hsDecode(c, &in); e != nil {
		return e.answer()
	}
	for _, input := range in.Inputs {
		a := from.byID[string(input.From.ID)]
		for _, ref := range input.To {
			if b := to.byID[string(ref.ID)]; a != nil && b != nil {
				a.unlink(b)
				b.unlink(a)
			}
		}
	}
	if version == "v4" {
		return answer{status: http.StatusNoContent}
	}
	return batchAnswer(http.StatusOK, c.now, nil, nil)
}
