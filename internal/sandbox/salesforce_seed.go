package sandbox

import (
	"slices"
	"strings"
	"time"
)

// sfObject is one kind of record.
type sfObject struct {
	name    string
	label   string
	prefix  string // the first three characters of its ids
	fields  []*sfField
	hidden  []*sfField  // which nobody was given yet
	records []*sfRecord // oldest first, deleted ones among them
	byID    map[string]*sfRecord
	keys    map[string]map[string][]*sfRecord // by field that can be looked up and value in lower case
}

// sfField describes a field in the words of describe.
type sfField struct {
	name, label, typ   string
	length             int
	digits             int // of int
	precision, scale   int // of double, currency
	create, update     bool
	required           bool
	defaultValue       any
	noFilter           bool
	externalID, unique bool
	idLookup           bool
	caseSensitive      bool
	restricted         bool
	html               bool
	refs               []string // objects that a reference leads to
	relationship       string
	values             []sfPick
}

type sfPick struct{ value, label string }

// sfRecord holds its values as the API answers them: string, bool, float64.
// Empty ones are absent.
type sfRecord struct {
	id                string
	values            map[string]any
	related           map[string]string // of tasks: the relations made for WhoId and WhatId
	created, modified time.Time
	deleted           bool
}

func (o *sfObject) field(name string) *sfField {
	for _, f := range o.fields {
		if strings.EqualFold(f.name, name) {
			return f
		}
	}
	return nil
}

var sfUsers = []struct {
	email, first, last string
	active             bool
}{
	{"owner.one@example.com", "Owner", "One", true},
	{"owner.two@example.com", "Owner", "Two", true},
	{"gone@example.com", "Gone", "Owner", false},
}

// Builders of fields. Whatever they make can be written unless fixed says so.

func sfText(name string, length int) *sfField {
	return &sfField{name: name, typ: "string", length: length, create: true, update: true}
}

func sfTyped(name, typ string, length int) *sfField {
	f := sfText(name, length)
	f.typ = typ
	return f
}

func sfArea(name string, length int) *sfField {
	f := sfTyped(name, "textarea", length)
	f.noFilter = length > 255
	return f
}

func sfPicklist(name string, restricted bool, values ...string) *sfField {
	f := sfTyped(name, "picklist", 255)
	f.restricted = restricted
	for _, v := range values {
		value, label, two := strings.Cut(v, "=")
		if !two {
			label = value
		}
		f.values = append(f.values, sfPick{value, label})
	}
	return f
}

func sfRef(name, relationship string, to ...string) *sfField {
	f := sfTyped(name, "reference", 18)
	f.refs, f.relationship = to, relationship
	return f
}

func sfKey(name string) *sfField {
	f := sfText(name, 80)
	f.externalID, f.unique, f.idLookup = true, true, true
	return f
}

func sfNumber(name, typ string, precision, scale int) *sfField {
	f := sfTyped(name, typ, 0)
	f.precision, f.scale = precision, scale
	if typ == "int" {
		f.digits, f.precision = precision, 0
	}
	return f
}

func (f *sfField) fixed() *sfField { f.create, f.update = false, false; return f }

func (f *sfField) onlyCreate() *sfField { f.update = false; return f }

func (f *sfField) needed() *sfField { f.required = true; return f }

func (f *sfField) defaults(v any) *sfField { f.defaultValue = v; return f }

// sfSystem are the fields that every object has.
func sfSystem() []*sfField {
	return []*sfField{
		sfTyped("Id", "id", 18).fixed(), sfTyped("IsDeleted", "boolean", 0).fixed(),
		sfTyped("CreatedDate", "datetime", 0).fixed(), sfTyped("LastModifiedDate", "datetime", 0).fixed(), sfTyped("SystemModstamp", "datetime", 0).fixed(),
	}
}

func sfNew(name, prefix string, fields ...*sfField) *sfObject {
	o := &sfObject{name: name, label: sfLabel(name), prefix: prefix, fields: append(sfSystem(), fields...), byID: map[string]*sfRecord{}}
	for _, f := range o.fields {
		f.label = sfLabel(f.name)
		f.idLookup = f.idLookup || f.name == "Id"
	}
	o.index()
	return o
}

// index files all records by the fields that can be looked up.
func (o *sfObject) index() {
	o.keys = map[string]map[string][]*sfRecord{}
	for _, f := range o.fields {
		if !f.idLookup && f.name != "TaskId" {
			continue
		}
		o.keys[f.name] = map[string][]*sfRecord{}
		for _, r := range o.records {
			o.file(r, f)
		}
	}
}

func (o *sfObject) file(r *sfRecord, f *sfField) {
	if v, ok := r.values[f.name].(string); ok && o.keys[f.name] != nil {
		v = strings.ToLower(v)
		o.keys[f.name][v] = append(o.keys[f.name][v], r)
	}
}

// put sets a checked value.
func (o *sfObject) put(r *sfRecord, f *sfField, v any) {
	if before, ok := r.values[f.name].(string); ok && o.keys[f.name] != nil {
		before = strings.ToLower(before)
		o.keys[f.name][before] = slices.DeleteFunc(o.keys[f.name][before], func(x *sfRecord) bool { return x == r })
	}
	delete(r.values, f.name)
	switch {
	case v != nil:
		r.values[f.name] = f.stored(v)
	case f.typ == "boolean":
		r.values[f.name] = false
	}
	o.file(r, f)
}

// sfLabel is what people see: the name with blanks.
func sfLabel(name string) string {
	name = strings.ReplaceAll(strings.TrimSuffix(name, "__c"), "_", " ")
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' && name[i-1] >= 'a' && name[i-1] <= 'z' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	if s, ok := strings.CutSuffix(b.String(), " Id"); ok {
		return s + " ID"
	}
	return b.String()
}

// sfOwner is the owner of a record.
func sfOwner() *sfField { return sfRef("OwnerId", "Owner", "User") }

// sfPerson are the fields that leads and contacts share.
func sfPerson() []*sfField {
	email := sfTyped("Email", "email", 80)
	email.idLookup = true
	return []*sfField{
		sfText("FirstName", 40), sfText("LastName", 80).needed(), sfText("Name", 121).fixed(), sfText("Title", 128),
		sfPicklist("Salutation", false, "Mr.", "Ms.", "Mrs.", "Dr.", "Prof."), email,
		sfTyped("Phone", "phone", 40), sfTyped("MobilePhone", "phone", 40), sfArea("Description", 32000), sfOwner(),
		sfPicklist("LeadSource", false, "Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other"),
		sfTyped("DoNotCall", "boolean", 0).defaults(false), sfTyped("HasOptedOutOfEmail", "boolean", 0).defaults(false),
		sfKey("Telli_Contact_Id__c"), sfKey("Respondio_Contact_Id__c"),
		sfPicklist("Telli_Status__c", true, "new=New", "pending=Pending", "reached=Reached", "not_reached=Not reached", "closed=Closed"),
		sfTyped("Telli_Reached_At__c", "datetime", 0),
	}
}

// sfSeed is an org with the standard objects and the fields that the examples
// need.
func sfSeed() []*sfObject {
	rich := sfTyped("Notes_Html__c", "textarea", 32768)
	rich.html, rich.noFilter = true, true
	subject := sfTyped("Subject", "combobox", 255)
	contact := append(sfPerson(), sfRef("AccountId", "Account", "Account"), sfTyped("HomePhone", "phone", 40), sfTyped("OtherPhone", "phone", 40),
		sfTyped("AssistantPhone", "phone", 40), sfTyped("Birthdate", "date", 0), sfText("Department", 80), sfNumber("Score__c", "double", 18, 2),
		sfTyped("Interests__c", "multipicklist", 4099), sfTyped("Website__c", "url", 255), sfTyped("Best_Time__c", "time", 0), rich,
		sfRef("MasterRecordId", "MasterRecord", "Contact").fixed())
	for _, f := range contact {
		if f.name == "Interests__c" {
			f.restricted, f.values = true, []sfPick{{"solar", "Solar"}, {"heat", "Heat pumps"}, {"storage", "Storage"}}
		}
	}
	lead := append(sfPerson(), sfText("Company", 255).needed(), sfTyped("Website", "url", 255),
		sfPicklist("Status", false, "Open - Not Contacted", "Working - Contacted", "Closed - Converted", "Closed - Not Converted").defaults("Open - Not Contacted"),
		sfPicklist("Rating", false, "Hot", "Warm", "Cold"), sfTyped("IsConverted", "boolean", 0).fixed().defaults(false), sfTyped("ConvertedDate", "date", 0).fixed(),
		sfRef("ConvertedContactId", "ConvertedContact", "Contact").fixed(), sfRef("ConvertedAccountId", "ConvertedAccount", "Account").fixed(),
		sfRef("MasterRecordId", "MasterRecord", "Lead").fixed())
	return []*sfObject{
		sfNew("Account", "001", sfText("Name", 255).needed(), sfTyped("Phone", "phone", 40), sfTyped("Website", "url", 255), sfText("AccountNumber", 40),
			sfPicklist("Industry", false, "Energy", "Construction", "Technology"), sfNumber("AnnualRevenue", "currency", 18, 0), sfNumber("NumberOfEmployees", "int", 8, 0),
			sfArea("Description", 32000), sfOwner(), sfKey("External_Id__c"), sfRef("MasterRecordId", "MasterRecord", "Account").fixed()),
		sfNew("Contact", "003", contact...),
		sfNew("Lead", "00Q", lead...),
		sfNew("Opportunity", "006", sfText("Name", 120).needed(), sfRef("AccountId", "Account", "Account"), sfNumber("Amount", "currency", 18, 2),
			sfTyped("CloseDate", "date", 0).needed(), sfPicklist("StageName", false, "Prospecting", "Qualification", "Closed Won", "Closed Lost").needed(),
			sfTyped("IsClosed", "boolean", 0).fixed().defaults(false), sfArea("Description", 32000), sfOwner(), sfKey("External_Id__c")),
		sfNew("Task", "00T", sfRef("WhoId", "Who", "Contact", "Lead"), sfRef("WhatId", "What", "Account", "Opportunity"), subject, sfTyped("ActivityDate", "date", 0),
			sfPicklist("Status", false, "Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred").defaults("Not Started"),
			sfPicklist("Priority", false, "High", "Normal", "Low").defaults("Normal"), sfArea("Description", 32000), sfOwner(), sfRef("AccountId", "Account", "Account").fixed(),
			sfPicklist("TaskSubtype", true, "Task", "Email", "Call", "ListEmail", "Cadence", "LinkedIn").onlyCreate().defaults("Task"),
			sfPicklist("CallType", true, "Internal", "Inbound", "Outbound"), sfNumber("CallDurationInSeconds", "int", 8, 0), sfText("CallDisposition", 255), sfText("CallObject", 255),
			sfPicklist("Type", false, "Call", "Email", "Meeting", "Other"), sfKey("Call_Id__c"), sfTyped("Recording__c", "url", 255)),
		sfNew("Event", "00U", sfRef("WhoId", "Who", "Contact", "Lead"), sfRef("WhatId", "What", "Account", "Opportunity"), sfTyped("Subject", "combobox", 255),
			sfTyped("StartDateTime", "datetime", 0).needed(), sfNumber("DurationInMinutes", "int", 8, 0).needed(), sfText("Location", 255), sfArea("Description", 32000), sfOwner(), sfKey("Event_Key__c")),
		sfNew("TaskRelation", "0RT", sfRef("TaskId", "Task", "Task").onlyCreate().needed(), sfRef("RelationId", "Relation", "Contact", "Lead", "Account", "Opportunity").onlyCreate().needed(),
			sfTyped("IsWhat", "boolean", 0).onlyCreate().defaults(false)),
		sfNew("User", "005", sfText("Username", 80).fixed(), sfTyped("Email", "email", 128).fixed(), sfText("FirstName", 40).fixed(), sfText("LastName", 80).fixed(),
			sfText("Name", 121).fixed(), sfTyped("IsActive", "boolean", 0).fixed()),
	}
}
