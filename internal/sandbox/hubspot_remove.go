package sandbox

import (
	"strconv"
	"strings"
	"time"
)

// archive takes a record out of everything; its id answers 404 from then on.
func (h *hubspot) archive(o *hsObject, id string) {
	r := o.byID[id]
	if r == nil {
		return
	}
	o.unindex(r)
	r.archived = true
	o.gone[r.id] = r
	for i, other := range o.records {
		if other == r {
			o.records = append(o.records[:i:i], o.records[i+1:]...)
			break
		}
	}
	for alias, target := range o.byID {
		if target == r {
			delete(o.byID, alias)
		}
	}
	for _, l := range r.links {
		l.to.unlink(r)
	}
	r.links = nil
}

// merge lets one record take the other's place. The old id answers as the
// survivor from then on.
func (h *hubspot) merge(o *hsObject, primary, other *hsRecord, now time.Time) *hsRecord {
	values := map[string]string{}
	for name, v := range other.props {
		if p := o.byName[name]; primary.props[name] == "" && !p.Modify.ReadOnlyValue {
			values[name] = v
		}
	}
	if o.name == "contacts" && other.props["email"] != "" && primary.props["email"] != "" {
		values["hs_additional_emails"] = strings.Join(append(emails(primary.props)[1:], emails(other.props)...), ";")
	}
	links := other.links
	h.archive(o, other.id)
	values["hs_merged_object_ids"] = strings.Trim(primary.props["hs_merged_object_ids"]+";"+other.id, ";")
	if o.byName["hs_merged_object_ids"] == nil {
		delete(values, "hs_merged_object_ids")
	}
	if name := "hs_calculated_merged_vids"; o.byName[name] != nil { // contacts: with the times
		values[name] = strings.Trim(primary.props[name]+";"+other.id+":"+strconv.FormatInt(now.UnixMilli(), 10), ";")
	}
	h.apply(&hsPlan{object: o, record: primary, values: values}, now)
	for _, l := range links {
		if l.to != primary {
			link(primary, l.to, l.category, l.typeID)
		}
	}
	delete(o.gone, other.id)
	o.byID[other.id] = primary
	return primary
}
