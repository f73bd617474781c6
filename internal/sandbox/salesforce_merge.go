package sandbox

// bury puts a record into the recycle bin.
func (r *sfRecord) bury() {
	r.deleted = true
	r.values["IsDeleted"] = true
}

// merge puts a record into the recycle bin with the id of the one that takes
// its place. What was linked to it is the other one's.
func (s *salesforce) merge(o *sfObject, r, master *sfRecord) {
	now := s.opts.Now()
	r.bury()
	r.values["MasterRecordId"] = master.id
	for _, other := range s.objects {
		if other.name == "TaskRelation" {
			continue // which follow their tasks
		}
		for _, one := range other.records {
			if one.deleted {
				continue
			}
			moved := false
			for _, f := range other.fields {
				if f.typ == "reference" && one.values[f.name] == r.id {
					other.put(one, f, master.id)
					moved = true
				}
			}
			if moved {
				s.settle(other, one, now)
			}
		}
	}
	rels := s.object("TaskRelation")
	for _, rel := range rels.records {
		if !rel.deleted && rel.values["RelationId"] == r.id {
			rel.values["RelationId"] = master.id
		}
	}
}
