package sandbox

import "time"

// settleTask keeps the task's first person and record among its relations.
func (s *salesforce) settleTask(r *sfRecord, now time.Time) {
	rels := s.object("TaskRelation")
	for _, name := range []string{"WhoId", "WhatId"} {
		id, _ := r.values[name].(string)
		before := r.related[name]
		if id == before {
			continue
		}
		for _, rel := range rels.holding(rels.field("TaskId"), r.id) {
			if rel.values["RelationId"] == before || rel.values["RelationId"] == id {
				rel.deleted = true
			}
		}
		delete(r.related, name)
		if id != "" {
			s.insert(rels, map[string]any{"TaskId": r.id, "RelationId": id, "IsWhat": name == "WhatId"}, now)
			r.related[name] = id
		}
	}
	delete(r.values, "AccountId")
	for _, name := range []string{"WhoId", "WhatId"} {
		id, _ := r.values[name].(string)
		if o, to := s.byID(id); to != nil {
			if o.name == "Account" {
				r.values["AccountId"] = id
			} else if account := to.values["AccountId"]; account != nil {
				r.values["AccountId"] = account
			}
		}
	}
}

// convert makes a contact and an account of a lead; its tasks move over.
func (s *salesforce) convert(lead *sfRecord) {
	now := s.opts.Now()
	account := s.insert(s.object("Account"), map[string]any{"Name": lead.values["Company"]}, now)
	contacts := s.object("Contact")
	values := map[string]any{"AccountId": account.id}
	for _, f := range contacts.fields {
		if v := lead.values[f.name]; f.create && v != nil {
			values[f.name] = v
		}
	}
	contact := s.insert(contacts, values, now)
	lead.values["IsConverted"], lead.values["Status"] = true, "Closed - Converted"
	lead.values["ConvertedContactId"], lead.values["ConvertedAccountId"] = contact.id, account.id
	lead.values["ConvertedDate"] = now.UTC().Format(time.DateOnly)
	for _, name := range []string{"Task", "Event"} {
		for _, r := range s.object(name).records {
			if r.values["WhoId"] == lead.id {
				r.values["WhoId"] = contact.id
				s.settle(s.object(name), r, now)
			}
		}
	}
}
