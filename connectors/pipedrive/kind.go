package pipedrive

import (
	"net/http"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// kind is one of the objects that Pipedrive has, as rules name them.
type kind struct {
	name   string
	path   string            // of the list; a record is one step below
	fields string            // path of the list of its fields; "" if they are fixed
	search string            // path of its search; "" if it has none
	update string            // method; "" where a record cannot be changed
	page   string            // of a record, for people
	needs  []string          // fields that a new record must have
	links  map[string]string // the field that holds the link to an object
	// fixed are the fields that every account has: code, the vendor's type, and
	// the object for references. ! are those that cannot be written.
	fixed string
}

// Some types are not Pipedrive's words: html is text that is shown as HTML,
// flag a truth as 0 or 1, stamp a time in UTC without zone, hours a length as
// HH:MM, seconds a length as text, uuids a list of ids that are no numbers,
// recording a link whose audio is uploaded.
// From the OpenAPI documents, 2026-11.
var kinds = []kind{
	{
		name: "persons", path: v2 + "/persons", fields: v2 + "/personFields", search: v2 + "/persons/search", update: http.MethodPatch, page: "/person/",
		needs: []string{"name"},
		links: map[string]string{"organizations": "org_id"},
		fixed: `name:varchar email:email phone:phone owner_id:user org_id:org:organizations label_ids:set visible_to:enum add_time:datetime job_title:varchar
			birthday:date notes:text postal_address:address marketing_status:status !first_name:varchar !last_name:varchar !update_time:datetime`,
	},
	{
		name: "organizations", path: v2 + "/organizations", fields: v2 + "/organizationFields", search: v2 + "/organizations/search", update: http.MethodPatch, page: "/organization/",
		needs: []string{"name"},
		fixed: `name:varchar owner_id:user label_ids:set visible_to:enum add_time:datetime address:address website:varchar linkedin:varchar industry:enum
			annual_revenue:int employee_count:int !update_time:datetime`,
	},
	{
		name: "deals", path: v2 + "/deals", fields: v2 + "/dealFields", search: v2 + "/deals/search", update: http.MethodPatch, page: "/deal/",
		needs: []string{"title"},
		links: map[string]string{"persons": "person_id", "organizations": "org_id"},
		fixed: `title:varchar owner_id:user person_id:people:persons org_id:org:organizations pipeline_id:int stage_id:int value:double currency:varchar status:status
			probability:double lost_reason:varchar visible_to:enum close_time:datetime won_time:datetime lost_time:datetime expected_close_date:date label_ids:set
			!add_time:datetime !update_time:datetime !stage_change_time:datetime`,
	},
	{
		name: "leads", path: v1 + "/leads", fields: v2 + "/dealFields", search: v2 + "/leads/search", update: http.MethodPatch, page: "/leads/inbox/",
		needs: []string{"title"},
		links: map[string]string{"persons": "person_id", "organizations": "organization_id"},
		fixed: `title:varchar owner_id:user person_id:people:persons organization_id:org:organizations label_ids:uuids value:monetary expected_close_date:date
			visible_to:status was_seen:boolean is_archived:boolean origin_id:varchar channel:int channel_id:varchar !add_time:datetime !update_time:datetime !source_name:varchar`,
	},
	{
		name: "activities", path: v2 + "/activities", fields: v2 + "/activityFields", update: http.MethodPatch, page: "/activities/",
		links: map[string]string{"persons": participants, "organizations": "org_id", "deals": "deal_id", "leads": "lead_id"},
		fixed: `subject:varchar type:status owner_id:user deal_id:deal:deals lead_id:lead:leads org_id:org:organizations project_id:int due_date:date due_time:time
			duration:hours busy:boolean done:boolean location:address public_description:text priority:enum note:html !person_id:people:persons
			!add_time:datetime !update_time:datetime`,
	},
	{
		name: "notes", path: v1 + "/notes", update: http.MethodPut, needs: []string{"content"},
		links: map[string]string{"persons": "person_id", "organizations": "org_id", "deals": "deal_id", "leads": "lead_id"},
		fixed: `content:html user_id:user add_time:stamp person_id:people:persons org_id:org:organizations deal_id:deal:deals lead_id:lead:leads
			pinned_to_person_flag:flag pinned_to_organization_flag:flag pinned_to_deal_flag:flag pinned_to_lead_flag:flag !update_time:datetime`,
	},
	{
		name: "callLogs", path: v1 + "/callLogs", needs: []string{"to_phone_number", "outcome", "start_time", "end_time"},
		links: map[string]string{"persons": "person_id", "organizations": "org_id", "deals": "deal_id", "leads": "lead_id", "activities": "activity_id"},
		fixed: `user_id:user subject:varchar duration:seconds outcome:status from_phone_number:phone to_phone_number:phone start_time:stamp end_time:stamp note:html
			person_id:people:persons org_id:org:organizations deal_id:deal:deals lead_id:lead:leads activity_id:activity:activities recording:recording`,
	},
}

// words are the choices that Pipedrive has for fields of type status, and those
// of visible_to, by object and field.
var words = map[string][]connectors.Option{
	"persons marketing_status": same("no_consent", "unsubscribed", "subscribed", "archived"),
	"deals status":             same("open", "won", "lost"),
	"callLogs outcome":         same("connected", "no_answer", "left_message", "left_voicemail", "wrong_number", "busy"),
	"leads visible_to":         same("1", "3", "5", "7"),
	"persons visible_to":       same("1", "3", "5", "7"),
	"organizations visible_to": same("1", "3", "5", "7"),
	"deals visible_to":         same("1", "3", "5", "7"),
}

func same(list ...string) []connectors.Option {
	var out []connectors.Option
	for _, w := range list {
		out = append(out, connectors.Option{Value: w, Label: w})
	}
	return out
}

// participants is the field of activities that holds persons. person_id, which
// the OpenAPI document shows as writable, is not: it is lost without a word.
const participants = "participants"

// kindOf finds an object; people may spell the one with a capital inside otherwise.
func kindOf(name string) *kind {
	for i := range kinds {
		if strings.EqualFold(kinds[i].name, name) {
			return &kinds[i]
		}
	}
	return nil
}

// old tells whether the object is in v1 of the API only: other times, other
// pages, custom fields beside the fixed ones.
func (k *kind) old() bool { return strings.HasPrefix(k.path, v1+"/") }

// listCost is what one page of all records takes.
func (k *kind) listCost() int { return cost(http.MethodGet, k.path) }

// searchable tells whether records can be found by their values.
func (k *kind) searchable() bool { return k.search != "" }

// fixedFields reads the table above.
func (k *kind) fixedFields() []connectors.Field {
	var out []connectors.Field
	for word := range strings.FieldsSeq(k.fixed) {
		code, readOnly := strings.CutPrefix(word, "!")
		parts := strings.Split(code, ":")
		f := connectors.Field{Name: parts[0], Label: parts[0], Native: parts[1], ReadOnly: readOnly, Options: words[k.name+" "+parts[0]]}
		if len(parts) > 2 {
			f.Target = parts[2]
		}
		if f.Native == "user" {
			f.Target = "users"
		}
		typed(&f)
		if f.Name == "notes" {
			f.MaxLength = 10_000 // contact sync notes (OpenAPI, 2026-11)
		}
		out = append(out, f)
	}
	return out
}

// typed sets what follows from the vendor's type.
func typed(f *connectors.Field) {
	switch f.Native {
	case "varchar", "varchar_auto", "varchar_options":
		f.Type, f.MaxLength = connectors.Text, maxVarchar
	case "text":
		f.Type = connectors.LongText
	case "html":
		f.Type, f.MaxLength = connectors.HTML, maxHTML
	case "int", "double", "monetary":
		f.Type = connectors.Number
	case "boolean", "flag":
		f.Type = connectors.Boolean
	case "date":
		f.Type = connectors.Date
	case "datetime", "stamp":
		f.Type = connectors.DateTime
	case "hours", "seconds":
		f.Type, f.Unit = connectors.Duration, "s"
	case "enum", "status":
		f.Type = connectors.Select
	case "set":
		f.Type = connectors.MultiSelect
	case "email":
		f.Type = connectors.Email
	case "phone":
		f.Type = connectors.Phone
	case recording:
		f.Type = connectors.URL
	case "time", "address":
		f.Type = connectors.Text
	case "user", "people", "org", "deal", "lead", "activity", "uuids":
		f.Type = connectors.Reference
	default: // ranges, pictures and what is computed
		f.Type, f.ReadOnly = connectors.Other, true
	}
}
