package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// sfWrite is one record to be written.
type sfWrite struct {
	object          *sfObject
	record          *sfRecord // nil: a new one
	input           map[string]any
	allowDuplicates bool
	now             time.Time
}

// parse reads a record's fields. Names of another kind, and values of a wrong
// type, refuse the whole request. An external id of a parent, as in
// "Account": {"External_Id__c": "x"}, becomes the parent's id.
func (s *salesforce) parse(o *sfObject, input map[string]any) (map[string]any, *sfError) {
	out := map[string]any{}
	for name, v := range input {
		if name == "attributes" {
			continue
		}
		if parent, ok := v.(map[string]any); ok {
			i := slices.IndexFunc(o.fields, func(f *sfField) bool { return f.relationship != "" && strings.EqualFold(f.relationship, name) })
			if i >= 0 {
				id, e := s.parent(o.fields[i], parent)
				if e != nil {
					return nil, e
				}
				out[o.fields[i].name] = id
				continue
			}
		}
		f := o.field(name)
		if f == nil {
			return nil, sfBad("INVALID_FIELD", "No such column '"+name+"' on sobject of type "+o.name)
		}
		value, e := f.parse(v)
		if e != nil {
			return nil, e
		}
		out[f.name] = value
	}
	return out, nil
}

func (s *salesforce) parent(f *sfField, by map[string]any) (string, *sfError) {
	for _, target := range f.refs {
		o := s.object(target)
		for name, v := range by {
			key := o.field(name)
			if name == "attributes" || key == nil || !key.externalID {
				continue
			}
			found := o.holding(key, v)
			if len(found) != 1 {
				return "", sfBad("INVALID_FIELD", "Foreign key external ID: "+fmt.Sprint(v)+" not found for field "+key.name+" in entity "+o.name)
			}
			return found[0].id, nil
		}
	}
	return "", sfBad("INVALID_FIELD", "The relationship for "+f.name+" must name an external id")
}

// holding lists the records with a value; text without regard to case.
func (o *sfObject) holding(f *sfField, v any) []*sfRecord {
	var out []*sfRecord
	among := o.records
	if text, ok := v.(string); ok && o.keys[f.name] != nil {
		among = o.keys[f.name][strings.ToLower(text)]
	}
	for _, r := range among {
		if !r.deleted && sfEqual(f, r.values[f.name], v) {
			out = append(out, r)
		}
	}
	return out
}

func sfEqual(f *sfField, a, b any) bool {
	x, ok := a.(string)
	y, also := b.(string)
	if ok && also && !f.caseSensitive {
		return strings.EqualFold(x, y)
	}
	return a != nil && a == b
}

// save writes a record, or says why not.
func (s *salesforce) save(w sfWrite) (*sfRecord, *sfError) {
	values, e := s.parse(w.object, w.input)
	if e != nil {
		return nil, e
	}
	return s.saveValues(w, values)
}

func (s *salesforce) saveValues(w sfWrite, values map[string]any) (*sfRecord, *sfError) {
	o := w.object
	if w.record != nil && w.record.deleted {
		return nil, sfErr(http.StatusNotFound, "ENTITY_IS_DELETED", "entity is deleted")
	}
	if o.name == "Lead" && w.record != nil && w.record.values["IsConverted"] == true {
		return nil, sfBad("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
	}
	if e := s.permitted(w, values); e != nil {
		return nil, e
	}
	if e := s.required(w, values); e != nil {
		return nil, e
	}
	for _, f := range o.fields {
		if e := s.check(f, values[f.name]); e != nil {
			return nil, e
		}
	}
	if e := s.unique(w, values); e != nil {
		return nil, e
	}
	if e := s.integrity(w, values); e != nil {
		return nil, e
	}
	if w.record == nil {
		return s.insert(o, values, w.now), nil
	}
	for name, v := range values {
		o.put(w.record, o.field(name), v)
	}
	s.settle(o, w.record, w.now)
	return w.record, nil
}

// permitted refuses fields that cannot be written.
func (s *salesforce) permitted(w sfWrite, values map[string]any) *sfError {
	var not []string
	for name := range values {
		f := w.object.field(name)
		if w.record == nil && !f.create || w.record != nil && !f.update {
			not = append(not, f.name)
		}
	}
	if not == nil {
		return nil
	}
	slices.Sort(not)
	return sfBad("INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: "+strings.Join(not, ", ")+
		". Please check the security settings of this field and verify that it is read/write for your profile or permission set.", not...)
}

func (s *salesforce) required(w sfWrite, values map[string]any) *sfError {
	var missing []string
	for _, f := range w.object.fields {
		v, given := values[f.name]
		if f.required && v == nil && (given || w.record == nil) {
			missing = append(missing, f.name)
		}
	}
	if missing == nil {
		return nil
	}
	return sfBad("REQUIRED_FIELD_MISSING", "Required fields are missing: ["+strings.Join(missing, ", ")+"]", missing...)
}

// unique refuses a second record with a unique value, and, unless the caller
// allows it, what a duplicate rule finds: the same e-mail and last name.
func (s *salesforce) unique(w sfWrite, values map[string]any) *sfError {
	for _, f := range w.object.fields {
		if !f.unique || values[f.name] == nil {
			continue
		}
		for _, other := range w.object.holding(f, values[f.name]) {
			if other != w.record {
				return sfBad("DUPLICATE_VALUE", "duplicate value found: "+f.name+" duplicates value on record with id: "+other.id[:15])
			}
		}
	}
	if w.allowDuplicates || w.record != nil || values["Email"] == nil || values["LastName"] == nil || w.object.field("LastName") == nil {
		return nil
	}
	e := sfBad("DUPLICATES_DETECTED", "Use one of these records?")
	for _, r := range w.object.holding(w.object.field("Email"), values["Email"]) {
		if sfEqual(w.object.field("LastName"), r.values["LastName"], values["LastName"]) && r.values["IsConverted"] != true {
			e.matches = append(e.matches, sfMatch{w.object, r})
		}
	}
	if e.matches == nil {
		return nil
	}
	return e
}

// integrity holds rules between fields and records.
func (s *salesforce) integrity(w sfWrite, values map[string]any) *sfError {
	now := func(name string) string {
		v, given := values[name]
		if !given && w.record != nil {
			v = w.record.values[name]
		}
		id, _ := v.(string)
		return id
	}
	switch w.object.name {
	case "Task", "Event":
		if who, _ := s.byID(now("WhoId")); who != nil && who.name == "Lead" && now("WhatId") != "" {
			return sfBad("FIELD_INTEGRITY_EXCEPTION", "A lead cannot be related together with another record", "WhatId")
		}
	case "TaskRelation":
		to, _ := s.byID(now("RelationId"))
		for _, r := range w.object.holding(w.object.field("TaskId"), sfLongID(now("TaskId")[:15])) {
			if r.values["RelationId"] == sfLongID(now("RelationId")[:15]) {
				return sfBad("DUPLICATE_VALUE", "duplicate value found: <unknown> duplicates value on record with id: <unknown>")
			}
			if other, _ := s.byID(fmt.Sprint(r.values["RelationId"])); other != nil && (other.name == "Lead" || to.name == "Lead") && r.values["IsWhat"] != true {
				return sfBad("FIELD_INTEGRITY_EXCEPTION", "A task can be related to one lead or up to 50 contacts.", "RelationId")
			}
		}
	}
	return nil
}

// insert makes a record of values that were checked.
func (s *salesforce) insert(o *sfObject, values map[string]any, now time.Time) *sfRecord {
	r := &sfRecord{id: s.newID(o.prefix), values: map[string]any{}, related: map[string]string{}, created: now.UTC().Truncate(time.Second)}
	for _, f := range o.fields {
		switch {
		case f.defaultValue != nil:
			r.values[f.name] = f.defaultValue
		case f.name == "OwnerId":
			r.values[f.name] = s.object("User").records[0].id
		}
	}
	for name, v := range values {
		o.put(r, o.field(name), v)
	}
	o.records = append(o.records, r)
	o.byID[r.id] = r
	s.settle(o, r, now)
	return r
}

// settle sets what Salesforce itself keeps up to date.
func (s *salesforce) settle(o *sfObject, r *sfRecord, now time.Time) {
	r.modified = now.UTC().Truncate(time.Second)
	r.values["Id"], r.values["IsDeleted"] = r.id, false
	r.values["CreatedDate"] = r.created.Format(sfInstant)
	r.values["LastModifiedDate"], r.values["SystemModstamp"] = r.modified.Format(sfInstant), r.modified.Format(sfInstant)
	if o.field("LastName") != nil && o.name != "User" {
		first, _ := r.values["FirstName"].(string)
		last, _ := r.values["LastName"].(string)
		r.values["Name"] = strings.TrimSpace(first + " " + last)
	}
	if o.name == "Task" {
		s.settleTask(r, now)
	}
}
