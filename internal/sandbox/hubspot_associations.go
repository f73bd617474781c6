package sandbox

import (
	"net/http"
	"strings"
)

// hsPair is an association type and its counterpart. Only call to contact (194)
// and note to contact (202) are documented in what was at hand (2026-11); the
// rest follow HubSpot's published table of default types.
type hsPair struct {
	from, to    string
	id, reverse int
	primary     bool // the labelled "primary" type beside the plain one
	user        bool // made in this account, not HubSpot's own
	label, back string
}

func (p hsPair) category() string {
	if p.user {
		return "USER_DEFINED"
	}
	return hsDefined
}

// plain tells the type without a label.
func (p hsPair) plain() bool { return !p.primary && p.label == "" }

func (p hsPair) shown() map[string]any {
	var label any
	switch {
	case p.primary:
		label = "Primary"
	case p.label != "":
		label = p.label
	}
	return map[string]any{"category": p.category(), "typeId": p.id, "label": label}
}

var hsPairs = []hsPair{
	{from: "calls", to: "contacts", id: 194, reverse: 193},
	{from: "calls", to: "companies", id: 182, reverse: 181},
	{from: "calls", to: "deals", id: 206, reverse: 205},
	{from: "calls", to: "leads", id: 595, reverse: 596},
	{from: "notes", to: "contacts", id: 202, reverse: 201},
	{from: "notes", to: "companies", id: 190, reverse: 189},
	{from: "notes", to: "deals", id: 214, reverse: 213},
	{from: "notes", to: "leads", id: 853, reverse: 854},
	{from: "tasks", to: "contacts", id: 204, reverse: 203},
	{from: "tasks", to: "companies", id: 192, reverse: 191},
	{from: "tasks", to: "deals", id: 216, reverse: 215},
	{from: "contacts", to: "companies", id: 279, reverse: 280},
	{from: "contacts", to: "companies", id: 1, reverse: 2, primary: true},
	{from: "contacts", to: "deals", id: 4, reverse: 3},
	{from: "deals", to: "companies", id: 341, reverse: 342},
	{from: "deals", to: "companies", id: 5, reverse: 6, primary: true},
	{from: "leads", to: "contacts", id: 578, reverse: 579, primary: true},
	{from: "leads", to: "contacts", id: 608, reverse: 609},
	{from: "leads", to: "companies", id: 610, reverse: 611},
	{from: "contacts", to: "contacts", id: 449, reverse: 449},
	{from: "companies", to: "companies", id: 450, reverse: 450},
}

// types lists the association types from one object to another.
func hsTypes(from, to *hsObject) []hsPair {
	var out []hsPair
	for _, p := range *from.pairs {
		switch {
		case p.from == from.name && p.to == to.name:
			out = append(out, p)
		case p.to == from.name && p.from == to.name:
			out = append(out, hsPair{from: from.name, to: to.name, id: p.reverse, reverse: p.id, primary: p.primary, user: p.user, label: p.back, back: p.label})
		}
	}
	return out
}

func hsDefaultType(from, to *hsObject) (hsPair, bool) {
	for _, p := range hsTypes(from, to) {
		if p.plain() {
			return p, true
		}
	}
	return hsPair{}, false
}

func hsTypeOf(from, to *hsObject, category string, id int) (hsPair, bool) {
	for _, p := range hsTypes(from, to) {
		if p.id == id && p.category() == category {
			return p, true
		}
	}
	return hsPair{}, false
}

const hsDefined = "HUBSPOT_DEFINED"

// link joins two records in both directions; doing it again changes nothing.
func link(from, to *hsRecord, category string, typeID int) {
	if p, ok := hsTypeOf(from.object, to.object, category, typeID); ok {
		to.addLink(hsLink{to: from, category: category, typeID: p.reverse})
	}
	from.addLink(hsLink{to: to, category: category, typeID: typeID})
}

func (r *hsRecord) addLink(l hsLink) {
	for _, have := range r.links {
		if have == l {
			return
		}
	}
	r.links = append(r.links, l)
}

func (r *hsRecord) unlink(to *hsRecord) {
	kept := r.links[:0]
	for _, l := range r.links {
		if l.to != to {
			kept = append(kept, l)
		}
	}
	r.links = kept
}

func (r *hsRecord) linkedTo(o *hsObject, ids []string) bool {
	for _, l := range r.links {
		for _, id := range ids {
			if l.to.object == o && l.to.id == id {
				return true
			}
		}
	}
	return false
}

// planLinks checks the associations of a create.
func (h *hubspot) planLinks(o *hsObject, in []hsAssociation) ([]hsLink, *hsError) {
	var out []hsLink
	for _, a := range in {
		if len(a.Types) == 0 {
			return nil, hsInvalid("association types must not be empty")
		}
		for _, t := range a.Types {
			to := h.byType(o, string(a.To.ID), t)
			if to == nil {
				e := hsInvalid("One or more associations are not valid")
				e.details = []map[string]any{{
					"message": "the object " + string(a.To.ID) + " or the type " + itoa(t.TypeID) + " is not valid",
					"code":    "INVALID_OBJECT_IDS", "context": map[string][]string{"toObjectId": {string(a.To.ID)}},
				}}
				return nil, e
			}
			out = append(out, hsLink{to: to, category: t.Category, typeID: t.TypeID})
		}
	}
	return out, nil
}

// byType finds the record that an association type of o may lead to.
func (h *hubspot) byType(o *hsObject, id string, t hsAssocType) *hsRecord {
	for _, to := range h.objects {
		if _, ok := hsTypeOf(o, to, t.Category, t.TypeID); ok {
			return to.byID[id]
		}
	}
	return nil
}

// recordAssociations serves …/{type}/{id}/associations/….
func (h *hubspot) recordAssociations(c *call, version string, rest []string) answer {
	from := h.object(rest[0])
	if from == nil {
		return hsNoObjectType(rest[0]).answer()
	}
	isDefault := rest[3] == "default"
	tail := rest[3:]
	if isDefault {
		tail = rest[4:]
	}
	if len(tail) == 0 || len(tail) > 2 || len(tail) == 1 && (isDefault || version != "v4") {
		return hsNotFoundPath().answer()
	}
	to := h.object(tail[0])
	if to == nil {
		return hsNoObjectType(tail[0]).answer()
	}
	a := from.byID[rest[1]]
	if a == nil {
		return hsNoRecord(rest[1]).answer()
	}
	if len(tail) == 1 {
		if c.method != http.MethodGet {
			return hsWrongMethod().answer()
		}
		return jsonAnswer(http.StatusOK, map[string]any{"results": a.linked(to)})
	}
	if c.method == http.MethodDelete && !isDefault {
		if b := to.byID[tail[1]]; b != nil {
			a.unlink(b)
			b.unlink(a)
		}
		return answer{status: http.StatusNoContent}
	}
	b := to.byID[tail[1]]
	switch {
	case c.method != http.MethodPut:
		return hsWrongMethod().answer()
	case b == nil:
		return hsNoRecord(tail[1]).answer()
	case isDefault:
		pairs, e := linkDefault(a, b)
		if e != nil {
			return e.answer()
		}
		return batchAnswer(http.StatusOK, c.now, pairs, nil)
	}
	var types []hsAssocType
	if e := hsDecode(c, &types); e != nil {
		return e.answer()
	}
	shown, e := linkTypes(a, b, types)
	if e != nil {
		return e.answer()
	}
	return jsonAnswer(http.StatusCreated, shown)
}

// linked lists what a record is joined to, as v4 shows it.
func (r *hsRecord) linked(o *hsObject) []map[string]any {
	out := []map[string]any{}
	at := map[*hsRecord]int{}
	for _, l := range r.links {
		if l.to.object != o {
			continue
		}
		i, ok := at[l.to]
		if !ok {
			i = len(out)
			at[l.to] = i
			out = append(out, map[string]any{"toObjectId": l.to.id, "associationTypes": []map[string]any{}})
		}
		types := out[i]["associationTypes"].([]map[string]any)
		p, _ := hsTypeOf(r.object, o, l.category, l.typeID)
		out[i]["associationTypes"] = append(types, map[string]any{"category": l.category, "typeId": l.typeID, "label": p.shown()["label"]})
	}
	return out
}

// linkDefault joins two records by the type without a label.
func linkDefault(a, b *hsRecord) ([]map[string]any, *hsError) {
	p, ok := hsDefaultType(a.object, b.object)
	if !ok {
		return nil, hsInvalid("No default association type from %s to %s", a.object.name, b.object.name)
	}
	link(a, b, p.category(), p.id)
	one := func(from, to *hsRecord, id int) map[string]any {
		return map[string]any{"from": map[string]string{"id": from.id}, "to": map[string]string{"id": to.id},
			"associationSpec": map[string]any{"associationCategory": p.category(), "associationTypeId": id}}
	}
	return []map[string]any{one(a, b, p.id), one(b, a, p.reverse)}, nil
}

func linkTypes(a, b *hsRecord, types []hsAssocType) (map[string]any, *hsError) {
	if len(types) == 0 {
		return nil, hsInvalid("association types must not be empty")
	}
	for _, t := range types {
		if _, ok := hsTypeOf(a.object, b.object, t.Category, t.TypeID); !ok {
			return nil, hsInvalid("%s:%d is not a valid association type from %s to %s", t.Category, t.TypeID, strings.ToUpper(a.object.singular), strings.ToUpper(b.object.singular))
		}
	}
	for _, t := range types {
		link(a, b, t.Category, t.TypeID)
	}
	return map[string]any{"fromObjectTypeId": a.object.typeID, "fromObjectId": a.id,
		"toObjectTypeId": b.object.typeID, "toObjectId": b.id, "labels": []string{}}, nil
}
