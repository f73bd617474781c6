package sandbox

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"
)

// shown is a record as the API answers it.
func (p *pipedrive) shown(r *pdRecord) map[string]any {
	out, customs := map[string]any{}, map[string]any{}
	for _, f := range r.object.fields {
		v := r.values[f.code]
		switch {
		case f.custom && r.object.version == "v2":
			customs[f.code] = v
		case f.custom:
			if v != nil { // v1 shows custom fields that have a value
				out[f.code] = v
			}
		case v == nil && (f.typ == "points" || f.typ == "set" || f.typ == "uuids" || f.typ == "participants"):
			out[f.code] = []any{}
		case f.code == "attendees" || f.typ == "points" && f.code == "im" || f.code == "archive_time":
			// only on request
		case f.typ == "note" && v == nil:
			out[f.code] = ""
		case f.typ == "flag":
			out[f.code] = v == json.Number("1")
		default:
			out[f.code] = v
		}
	}
	var id any = json.Number(r.id)
	if r.object.name == "leads" || r.object.name == "callLogs" {
		id = r.id
	}
	out["id"] = id
	switch r.object.name {
	case "notes":
		p.showNote(r, out)
	case "callLogs":
		out["has_recording"], out["company_id"] = r.recorded, 1
	case "leads":
		out["add_time"], out["update_time"] = isoTime(r.created), isoTime(r.updated)
		out["source_name"], out["origin"], out["creator_id"] = "API", "API", p.users[0].ID
	default:
		out["is_deleted"] = r.deleted
		if r.values["add_time"] == nil {
			out["add_time"] = r.created.UTC().Format(time.RFC3339)
		}
		out["update_time"] = r.updated.UTC().Format(time.RFC3339)
		if r.object.name != "activities" {
			out["custom_fields"] = customs
		}
	}
	return out
}

// showNote adds what v1 says of a note's neighbours.
func (p *pipedrive) showNote(r *pdRecord, out map[string]any) {
	out["active_flag"] = !r.deleted
	if r.values["add_time"] == nil {
		out["add_time"] = r.created.UTC().Format(pdStamp)
	}
	out["update_time"] = r.updated.UTC().Format(pdStamp)
	out["last_update_user_id"] = p.users[0].ID
	delete(out, "pinned_to_lead_flag")
	for field, to := range map[string]string{"person_id": "person", "org_id": "organization"} {
		if other := p.object(map[string]string{"person": "persons", "organization": "organizations"}[to]).byID[pdText(r.values[field])]; other != nil {
			out[to] = map[string]any{"name": other.values["name"]}
		}
	}
	if u := p.user(pdText(r.values["user_id"])); u != nil {
		out["user"] = map[string]any{"email": u.Email, "name": u.Name, "is_you": u.You, "icon_url": nil}
	}
}

// public is a record as people see it: options by label, custom fields by
// name, the primary address and number, links apart.
func (p *pipedrive) public(r *pdRecord) Record {
	out := Record{ID: r.id, Fields: map[string]any{}, Links: []Link{}}
	for _, f := range r.object.fields {
		v := r.values[f.code]
		if v == nil {
			continue
		}
		name := f.code
		if f.custom {
			name = f.name
		}
		switch {
		case f.typ == "ref":
			out.Links = append(out.Links, Link{Object: f.target, ID: pdText(v), Type: f.code})
			continue
		case f.typ == "participants":
			for _, x := range pdList(v) {
				out.Links = append(out.Links, Link{Object: "persons", ID: pdText(x.(map[string]any)["person_id"]), Type: f.code})
			}
			continue
		case f.typ == "lost": // the primary participant
			continue
		case f.code == "emails" || f.code == "phones":
			for _, x := range pdList(v) {
				if one := x.(map[string]any); one["primary"] == true {
					out.Fields[f.code[:5]] = one["value"]
				}
			}
		case f.typ == "enum":
			v = f.label(v)
		case f.typ == "set":
			var labels []any
			for _, x := range pdList(v) {
				labels = append(labels, f.label(x))
			}
			v = labels
		}
		out.Fields[name] = v
	}
	if r.recorded {
		out.Fields["has_recording"], out.Fields["recording_bytes"], out.Fields["recording_sha256"] = true, len(r.audio), fmt.Sprintf("%x", sha256.Sum256(r.audio))
	}
	return out
}

func (f *pdField) label(v any) any {
	if o := f.option(pdText(v)); o != nil {
		return o.Label
	}
	return v
}
