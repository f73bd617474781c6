package sandbox

import (
	"strings"
)

// The seed is written as lines "code type[:target] [ro] [Option|Option]". The
// types are Pipedrive's field types, and some of the sandbox's own: points are
// addresses or numbers, word a fixed choice of text, flag 0 or 1, stamp a time
// in UTC without zone, clock a time of day, seconds a number as text.
const (
	pdPersons = `
name varchar
emails points
phones points
owner_id user
org_id ref:organizations
label_ids set Hot lead|Warm lead|Cold lead
visible_to int
add_time datetime
job_title varchar
birthday date
notes text
postal_address address
im points
first_name varchar ro
last_name varchar ro
update_time datetime ro
picture_id int ro
`
	pdOrganizations = `
name varchar
owner_id user
label_ids set Customer|Partner
visible_to int
add_time datetime
address address
website varchar
linkedin varchar
industry enum Trade|Craft|Public service
annual_revenue int
employee_count int
update_time datetime ro
`
	pdDeals = `
title varchar
owner_id user
person_id ref:persons
org_id ref:organizations
pipeline_id int
stage_id int
value double
currency varchar
status word open|won|lost
probability double
lost_reason varchar
visible_to int
close_time datetime
won_time datetime
lost_time datetime
expected_close_date date
label_ids set Hot|Cold
is_archived boolean
is_deleted boolean
archive_time datetime
add_time datetime ro
update_time datetime ro
stage_change_time datetime ro
`
	pdLeads = `
title varchar
owner_id user
label_ids uuids
person_id ref:persons
organization_id ref:organizations
value amount
expected_close_date date
visible_to word 1|3|5|7
was_seen boolean
is_archived boolean
origin_id varchar
channel int
channel_id varchar
`
	pdActivities = `
subject varchar
type type
owner_id user
deal_id ref:deals
lead_id ref:leads
person_id lost
org_id ref:organizations
project_id int
due_date date
due_time clock
duration clock
busy boolean
done boolean
location address
participants participants
attendees list
public_description text
priority enum Low|Medium|High
note note
add_time datetime ro
update_time datetime ro
`
	pdNotes = `
content note
lead_id ref:leads
deal_id ref:deals
person_id ref:persons
org_id ref:organizations
project_id int
task_id int
user_id user
add_time stamp
pinned_to_lead_flag flag
pinned_to_deal_flag flag
pinned_to_organization_flag flag
pinned_to_person_flag flag
pinned_to_project_flag flag
pinned_to_task_flag flag
`
	pdCallLogs = `
user_id user
activity_id ref:activities
subject varchar
duration seconds
outcome word connected|no_answer|left_message|left_voicemail|wrong_number|busy
from_phone_number varchar
to_phone_number varchar
start_time stamp
end_time stamp
person_id ref:persons
org_id ref:organizations
deal_id ref:deals
lead_id ref:leads
note note
`
)

// The custom fields that examples use, by object: name, type, options.
var pdCustoms = map[string][][3]string{
	"persons": {
		{"Telli contact id", "varchar", ""},
		{"Telli status", "enum", "new|pending|reached|closed"},
		{"Telli reached at", "date", ""},
		{"Interests", "set", "Solar|Heat pump|Storage"},
		{"Second phone", "phone", ""},
		{"Score", "double", ""},
		{"Remarks", "text", ""},
		{"Account manager", "user", ""},
		{"Budget", "monetary", ""},
		{"Call window", "time", ""},
		{"Region", "varchar", ""},
		{"region", "varchar", ""}, // Pipedrive allows two fields of one name
		{"respond.io contact id", "varchar", ""},
	},
	"organizations": {{"Customer number", "varchar", ""}},
	"deals":         {{"Telli contact id", "varchar", ""}, {"Source", "enum", "Phone|Web"}},
}

// pdHash is the key of a custom field: 40 characters that mean nothing.
func pdHash(n int) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	x := uint64(n)*0x9e3779b97f4a7c15 + 1
	for range 40 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b.WriteByte(hex[x>>40&15])
	}
	return b.String()
}

var pdLeadLabels = []map[string]any{
	{"id": "f08b42a0-4e75-11ea-9643-03698ef1cfd6", "name": "Hot", "color": "red"},
	{"id": "f08b42a1-4e75-11ea-9643-03698ef1cfd6", "name": "Cold", "color": "blue"},
}

func pdSeed() ([]*pdObject, []pdUser, []pdType) {
	objects := []*pdObject{
		{name: "persons", single: "Person", version: "v2", update: "PATCH", search: "custom_fields,email,notes,phone,name", needs: []string{"name"}, list: "personFields"},
		{name: "organizations", single: "Organization", version: "v2", update: "PATCH", search: "address,custom_fields,notes,name", needs: []string{"name"}, list: "organizationFields"},
		{name: "deals", single: "Deal", version: "v2", update: "PATCH", search: "custom_fields,notes,title", needs: []string{"title"}, list: "dealFields"},
		{name: "leads", single: "Lead", version: "v1", update: "PATCH", search: "custom_fields,notes,title", needs: []string{"title"}},
		{name: "activities", single: "Activity", version: "v2", update: "PATCH", list: "activityFields"},
		{name: "notes", single: "Note", version: "v1", update: "PUT", needs: []string{"content"}},
		{name: "callLogs", single: "Call log", version: "v1", needs: []string{"to_phone_number", "outcome", "start_time", "end_time"}},
	}
	lines := []string{pdPersons, pdOrganizations, pdDeals, pdLeads, pdActivities, pdNotes, pdCallLogs}
	n, option := 1, 20
	var dealFields []*pdField
	for i, o := range objects {
		o.byCode, o.byID = map[string]*pdField{}, map[string]*pdRecord{}
		for line := range strings.SplitSeq(strings.TrimSpace(lines[i]), "\n") {
			words := strings.SplitN(line, " ", 3)
			typ, target, _ := strings.Cut(words[1], ":")
			f := &pdField{code: words[0], name: pdTitle(words[0]), typ: typ, target: target}
			if len(words) > 2 && words[2] == "ro" {
				f.fixed = true
			} else if len(words) > 2 {
				f.options = pdOptions(words[2], typ == "word", &option)
			}
			o.add(f)
		}
		for _, c := range pdCustoms[o.name] {
			f := &pdField{code: pdHash(n), name: c[0], typ: c[1], custom: true, options: pdOptions(c[2], false, &option)}
			o.add(f)
			if n++; o.name == "deals" {
				dealFields = append(dealFields, f)
			}
		}
		if o.name == "leads" { // which inherit the deals' custom fields
			for _, f := range dealFields {
				o.add(f)
			}
		}
	}
	return objects, []pdUser{
			{ID: 90001, Name: "Owner One", Email: "owner.one@example.com", Locale: "en_US", Currency: "EUR", Active: true, You: true, Zone: "Europe/Berlin"},
			{ID: 90002, Name: "Owner Two", Email: "owner.two@example.com", Locale: "en_US", Currency: "EUR", Active: true, Zone: "Europe/Berlin"},
			{ID: 90003, Name: "Gone", Email: "gone@example.com", Locale: "en_US", Currency: "EUR", Deleted: true, Zone: "Europe/Berlin"},
		}, []pdType{
			{ID: 1, Name: "Call", Key: "call", Icon: "call", Active: true, Order: 1},
			{ID: 2, Name: "Meeting", Key: "meeting", Icon: "meeting", Active: true, Order: 2},
			{ID: 3, Name: "Task", Key: "task", Icon: "task", Active: true, Order: 3},
			{ID: 4, Name: "Missed call", Key: "missed_call", Icon: "call", Active: true, Custom: true, Order: 4},
		}
}
