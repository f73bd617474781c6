package sandbox

import "strings"

// The seed is written as lines "Name: type [options]". Choices are separated by |.

const atContacts = `
Name: singleLineText
telli_contact_id: singleLineText
First name: singleLineText
Last name: singleLineText
Email: email
Phone: phoneNumber
Company: singleLineText
Status: singleSelect new|pending|reached|closed
Reached at: dateTime
Language: singleLineText
Notes: multilineText
Do not call: checkbox
Tags: multipleSelects
Calls: multipleRecordLinks Calls.Contact
respondio_contact_id: singleLineText
Lifecycle: singleLineText
Conversations: multipleRecordLinks Conversations.Contact
`

const atCalls = `
Call ID: singleLineText
Contact: multipleRecordLinks Contacts.Calls
Status: singleSelect created|ringing|in_progress|transferred|completed|answered|not_reached|voicemail|busy|cancelled|abandoned|failed|merged|unknown
Direction: singleSelect inbound|outbound|internal|unknown
Started at: dateTime
Ended at: dateTime
Duration: duration
Attempt: number
Summary: multilineText
Transcript: multilineText
Recording: url
Appointment: dateTime
Agent: singleLineText
From: phoneNumber
To: phoneNumber
Call back: checkbox
`

const atConversations = `
Conversation ID: singleLineText
Contact: multipleRecordLinks Contacts.Conversations
Category: singleLineText
Summary: multilineText
Agent: singleLineText
Closed at: dateTime
`

var atSeedTables = []struct{ name, lines string }{{"Contacts", atContacts}, {"Calls", atCalls}, {"Conversations", atConversations}}

func atSeedNames(object string) bool {
	for _, t := range atSeedTables {
		if t.name == object {
			return true
		}
	}
	return false
}

// atSeed is a base as it is before anything was written. Its ids depend on the
// names alone.
func atSeed() []*atTable {
	var tables []*atTable
	for _, seed := range atSeedTables {
		t := &atTable{id: atID("tbl", seed.name), name: seed.name, byID: map[string]*atRecord{}}
		for line := range strings.Lines(strings.TrimSpace(seed.lines)) {
			name, rest, _ := strings.Cut(strings.TrimSpace(line), ": ")
			typ, options, _ := strings.Cut(rest, " ")
			f := &atField{id: atID("fld", t.id, name), name: name, typ: typ, options: atSeedOptions(typ)}
			switch {
			case typ == "multipleRecordLinks":
				other, inverse, _ := strings.Cut(options, ".")
				linked := atID("tbl", other)
				f.options["linkedTableId"] = linked
				f.options["inverseLinkFieldId"] = atID("fld", linked, inverse)
			case f.isSelect() && options != "":
				for choice := range strings.SplitSeq(options, "|") {
					f.addChoice(choice)
				}
			}
			t.fields = append(t.fields, f)
		}
		tables = append(tables, t)
	}
	for _, t := range tables {
		for _, f := range t.fields {
			if f.typ == "multipleRecordLinks" {
				f.linkTo(tables)
			}
		}
	}
	return tables
}

// atSeedOptions are a field type's options as Airtable's own pages would set them.
func atSeedOptions(typ string) map[string]any {
	switch typ {
	case "number":
		return map[string]any{"precision": 0}
	case "duration":
		return map[string]any{"durationFormat": "h:mm:ss"}
	case "checkbox":
		return map[string]any{"icon": "check", "color": "greenBright"}
	case "dateTime":
		return map[string]any{
			"dateFormat": map[string]any{"name": "iso", "format": "YYYY-MM-DD"},
			"timeFormat": map[string]any{"name": "24hour", "format": "HH:mm"},
			"timeZone":   "utc",
		}
	case "date":
		return map[string]any{"dateFormat": map[string]any{"name": "iso", "format": "YYYY-MM-DD"}}
	case "multipleRecordLinks":
		return map[string]any{"isReversed": false, "prefersSingleRecordLink": false}
	default:
		return map[string]any{}
	}
}
