package sandbox

import (
	"strconv"
	"strings"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// The seed is written as lines "name type[/fieldType] [flags] [options]".
// Flags: ro read-only, calc calculated (and read-only), unique, custom.
// Options are value|value, or value=Label; multi-value ones have fieldType checkbox.

const hsContactProperties = `
email string
firstname string
lastname string
phone string/phonenumber
mobilephone string/phonenumber
fax string/phonenumber
company string
jobtitle string
website string
address string
city string
state string
zip string
country string
salutation string
degree string
field_of_study string
school string
seniority string
job_function string
industry string
numemployees enumeration/select 1-5|5-25|25-50|50-100|100-500|500-1000|1000+
annualrevenue string
gender string
date_of_birth string
marital_status string
relationship_status string
military_status string
work_email string
message string/textarea
hs_additional_emails enumeration/checkbox external
hs_language enumeration/select de=German|de-de=German - Germany|de-at=German - Austria|de-ch=German - Switzerland|en=English|en-gb=English - United Kingdom|en-us=English - United States|fr=French|it=Italian|nl=Dutch|nl-nl=Dutch - Netherlands|es=Spanish|pl=Polish|pt=Portuguese|tr=Turkish
hs_timezone enumeration/select europe_slash_berlin=Europe/Berlin|europe_slash_vienna=Europe/Vienna|europe_slash_zurich=Europe/Zurich|europe_slash_amsterdam=Europe/Amsterdam|europe_slash_london=Europe/London|europe_slash_paris=Europe/Paris|utc=UTC
lifecyclestage enumeration/radio subscriber=Subscriber|lead=Lead|marketingqualifiedlead=Marketing Qualified Lead|salesqualifiedlead=Sales Qualified Lead|opportunity=Opportunity|customer=Customer|evangelist=Evangelist|other=Other
hs_lead_status enumeration/radio NEW=New|OPEN=Open|IN_PROGRESS=In Progress|OPEN_DEAL=Open Deal|UNQUALIFIED=Unqualified|ATTEMPTED_TO_CONTACT=Attempted to Contact|CONNECTED=Connected|BAD_TIMING=Bad Timing
hs_persona enumeration/select
hs_buying_role enumeration/checkbox BLOCKER|BUDGET_HOLDER|CHAMPION|DECISION_MAKER|END_USER|EXECUTIVE_SPONSOR|INFLUENCER|LEGAL_AND_COMPLIANCE|OTHER
hs_legal_basis enumeration/checkbox Legitimate interest – prospect/lead|Legitimate interest – existing customer|Not applicable
hs_marketable_status enumeration/booleancheckbox ro true|false
hs_email_optout bool/booleancheckbox ro
hs_whatsapp_phone_number string/phonenumber
hs_linkedin_url string
twitterhandle string
linkedinbio string
hs_content_membership_notes string/textarea
followercount number
hs_predictivecontactscore_v2 number calc
hubspotscore number calc
hubspot_owner_id enumeration/select external
hubspot_owner_assigneddate datetime ro
hubspot_team_id enumeration/select ro
owneremail string ro
ownername string ro
associatedcompanyid number ro
num_associated_deals number calc
num_notes number calc
num_contacted_notes number calc
notes_last_contacted datetime calc
notes_last_updated datetime calc
notes_next_activity_date datetime calc
hs_last_sales_activity_timestamp datetime calc
hs_latest_source enumeration/select ro
hs_analytics_source enumeration/select ro
hs_analytics_first_timestamp datetime calc
hs_email_domain string calc
hs_full_name_or_email string calc
hs_is_unworked bool/booleancheckbox calc
hs_lifecyclestage_lead_date datetime ro
hs_lifecyclestage_customer_date datetime ro
closedate datetime
first_deal_created_date datetime calc
recent_deal_amount number calc
total_revenue number calc
hs_searchable_calculated_phone_number string calc
hs_searchable_calculated_mobile_number string calc
hs_calculated_merged_vids string calc
hs_merged_object_ids enumeration/checkbox ro
createdate datetime ro
lastmodifieddate datetime calc
hs_object_id number ro unique
hs_object_source string ro
telli_contact_id string unique custom
telli_status enumeration/select custom new=New|pending=Pending|reached=Reached|closed=Closed
telli_reached_at datetime custom
crmsync_phone string unique custom
respondio_contact_id string unique custom
last_call_at datetime custom
last_call_outcome string custom
`

const hsCallProperties = `
hs_timestamp datetime
hs_call_title string
hs_call_body string/html
hs_call_duration number
hs_call_direction enumeration/select INBOUND=Inbound|OUTBOUND=Outbound
hs_call_status enumeration/select BUSY=Busy|CALLING_CRM_USER=Calling CRM User|CANCELED=Canceled|COMPLETED=Completed|CONNECTING=Connecting|FAILED=Failed|IN_PROGRESS=In Progress|NO_ANSWER=No Answer|QUEUED=Queued|RINGING=Ringing
hs_call_disposition enumeration/select 9d9162e7-6cf3-4944-bf63-4dff82258764=Busy|f240bbac-87c9-4f6e-bf70-924b57d47db7=Connected|a4c4c377-d246-4b32-a13b-75a56a4cd0ff=Left live message|b2cf5968-551e-4856-9783-52b3da59a7d0=Left voicemail|73a0d17f-1163-4015-bdd5-ec830791da20=No answer|17b47fee-58de-441e-a44c-c6300d46f273=Wrong number
hs_call_from_number string
hs_call_to_number string
hs_call_recording_url string
hs_call_callee_object_id number
hs_call_callee_object_type string
hs_call_callee_object_type_id string
hs_call_source enumeration/select CONVERSATIONS|INTEGRATIONS_PLATFORM|MANUAL|MOBILE_IOS|MOBILE_ANDROID|TWILIO|VIDEO_CONFERENCING
hs_call_app_id number
hs_call_summary string/textarea ro
hs_call_has_transcript bool/booleancheckbox calc
hs_call_external_id string
hs_call_external_account_id string
hs_activity_type enumeration/select
hs_body_preview string calc
hs_attachment_ids enumeration/checkbox external
hubspot_owner_id enumeration/select external
hubspot_team_id enumeration/select ro
hs_createdate datetime ro
hs_lastmodifieddate datetime calc
hs_object_id number ro unique
telli_call_id string unique custom
source_call_id string unique custom
call_summary string/textarea custom
`

const hsNoteProperties = `
hs_timestamp datetime
hs_note_body string/html
hs_body_preview string calc
hs_attachment_ids enumeration/checkbox external
hubspot_owner_id enumeration/select external
hs_createdate datetime ro
hs_lastmodifieddate datetime calc
hs_object_id number ro unique
source_event_id string unique custom
`

const hsCompanyProperties = `
name string
domain string
phone string/phonenumber
website string
address string
city string
state string
zip string
country string
industry string
description string/textarea
numberofemployees number
annualrevenue number
lifecyclestage enumeration/radio subscriber|lead|marketingqualifiedlead|salesqualifiedlead|opportunity|customer|evangelist|other
hubspot_owner_id enumeration/select external
hs_searchable_calculated_phone_number string calc
createdate datetime ro
hs_lastmodifieddate datetime calc
hs_object_id number ro unique
`

const hsDealProperties = `
dealname string
dealstage enumeration/radio appointmentscheduled=Appointment Scheduled|qualifiedtobuy=Qualified To Buy|presentationscheduled=Presentation Scheduled|decisionmakerboughtin=Decision Maker Bought-In|contractsent=Contract Sent|closedwon=Closed Won|closedlost=Closed Lost
pipeline enumeration/select default=Sales Pipeline
amount number
closedate datetime
hs_is_closed bool/booleancheckbox calc
dealtype enumeration/radio newbusiness=New Business|existingbusiness=Existing Business
description string/textarea
hubspot_owner_id enumeration/select external
createdate datetime ro
hs_lastmodifieddate datetime calc
hs_object_id number ro unique
`

const hsLeadProperties = `
hs_lead_name string
hs_lead_label enumeration/select HOT=Hot|WARM=Warm|COLD=Cold
hs_lead_type enumeration/select NEW_BUSINESS=New business|RE_ATTEMPTING=Re-attempting|UPSELL=Upsell
hs_pipeline enumeration/select lead-pipeline-id=Lead pipeline
hs_pipeline_stage enumeration/select new-stage-id=New|attempting-stage-id=Attempting|connected-stage-id=Connected|qualified-stage-id=Qualified|unqualified-stage-id=Disqualified
hubspot_owner_id enumeration/select external
hs_createdate datetime ro
hs_lastmodifieddate datetime calc
hs_object_id number ro unique
`

const hsTaskProperties = `
hs_timestamp datetime
hs_task_subject string
hs_task_body string/html
hs_task_status enumeration/select NOT_STARTED=Not started|IN_PROGRESS=In progress|WAITING=Waiting|COMPLETED=Completed|DEFERRED=Deferred
hs_task_priority enumeration/select NONE=None|LOW=Low|MEDIUM=Medium|HIGH=High
hs_task_type enumeration/select TODO=To-do|CALL=Call|EMAIL=Email
hubspot_owner_id enumeration/select external
hs_createdate datetime ro
hs_lastmodifieddate datetime calc
hs_object_id number ro unique
source_event_id string unique custom
`

// hsSeed is an account as it is before anything was written.
func hsSeed(now time.Time) ([]*hsObject, []hsOwner) {
	objects := []*hsObject{
		hsNewObject(now, "contacts", "contact", "0-1", "contactinformation", hsContactProperties, "email", "firstname", "lastname"),
		hsNewObject(now, "companies", "company", "0-2", "companyinformation", hsCompanyProperties, "name", "domain"),
		hsNewObject(now, "deals", "deal", "0-3", "dealinformation", hsDealProperties, "dealname", "dealstage", "pipeline", "amount", "closedate"),
		hsNewObject(now, "calls", "call", "0-48", "call", hsCallProperties),
		hsNewObject(now, "notes", "note", "0-46", "note", hsNoteProperties),
		hsNewObject(now, "leads", "lead", "0-136", "leadinformation", hsLeadProperties),
		hsNewObject(now, "tasks", "task", "0-27", "task", hsTaskProperties),
		hsRoofs(now),
	}
	at := isoTime(now)
	owners := []hsOwner{
		{ID: "90001", Email: "owner.one@example.com", FirstName: "Owner", LastName: "One", Type: "PERSON", UserID: 70001, CreatedAt: at, UpdatedAt: at},
		{ID: "90002", Email: "owner.two@example.com", FirstName: "Owner", LastName: "Two", Type: "PERSON", UserID: 70002, CreatedAt: at, UpdatedAt: at},
	}
	return objects, owners
}

func hsNewObject(now time.Time, name, singular, typeID, group, lines string, defaults ...string) *hsObject {
	o := &hsObject{
		name: name, singular: singular, typeID: typeID, defaults: defaults,
		groups: []hsGroup{{Name: group, Label: group}, {Name: "crmsync", Label: "Calls", Order: 1}},
		byName: map[string]*hsProperty{}, byID: map[string]*hsRecord{}, gone: map[string]*hsRecord{},
		unique: map[string]map[string]*hsRecord{},
	}
	for line := range strings.Lines(strings.TrimSpace(lines)) {
		o.addProperty(parseProperty(strings.TrimSpace(line), group, isoTime(now)))
	}
	return o
}

func (o *hsObject) addProperty(p *hsProperty) {
	o.props = append(o.props, p)
	o.byName[p.Name] = p
	if p.Unique {
		o.unique[p.Name] = map[string]*hsRecord{}
	}
}

// parseProperty reads one line of the seed.
func parseProperty(line, group, at string) *hsProperty {
	name, rest, _ := strings.Cut(line, " ")
	kind, rest, _ := strings.Cut(rest, " ")
	typ, field, ok := strings.Cut(kind, "/")
	if !ok {
		field = map[string]string{"string": "text", "number": "number", "datetime": "date", "date": "date"}[typ]
	}
	p := &hsProperty{
		Name: name, Label: name, Type: typ, FieldType: field, GroupName: group, Options: []hsOption{},
		CreatedAt: at, UpdatedAt: at, Order: -1, Defined: true, FormField: true, Sensitivity: "non_sensitive",
		Modify: hsModify{ReadOnlyDefinition: true},
	}
	for rest != "" {
		word, after, _ := strings.Cut(rest, " ")
		switch word {
		case "calc":
			p.Calculated, p.Modify.ReadOnlyValue = true, true
		case "ro":
			p.Modify.ReadOnlyValue = true
		case "unique":
			p.Unique = true
		case "external":
			p.External = true
		case "custom":
			p.Defined, p.GroupName = false, "crmsync"
			p.Modify = hsModify{Archivable: true}
		default:
			p.Options, after = parseOptions(rest), ""
		}
		rest = after
	}
	if typ == "bool" && len(p.Options) == 0 {
		p.Options = parseOptions("true=Yes|false=No")
	}
	return p
}

func parseOptions(list string) []hsOption {
	options := []hsOption{}
	for i, item := range strings.Split(list, "|") {
		value, label, ok := strings.Cut(item, "=")
		if !ok {
			label = value
		}
		options = append(options, hsOption{Label: label, Value: value, Order: i})
	}
	return options
}
