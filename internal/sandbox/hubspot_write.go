package sandbox

import (
	"strconv"
	"strings"
	"time"
)

// hsInput is one record of a write.
type hsInput struct {
	ID         string          `json:"id"`
	IDProperty string          `json:"idProperty"`
	Properties map[string]any  `json:"properties"`
	Assoc      []hsAssociation `json:"associations"`
	Trace      string          `json:"objectWriteTraceId"`
}

type hsAssociation struct {
	To    hsRef         `json:"to"`
	Types []hsAssocType `json:"types"`
}

type hsRef struct {
	ID hsID `json:"id"`
}

type hsAssocType struct {
	Category string `json:"associationCategory"`
	TypeID   int    `json:"associationTypeId"`
}

// hsPlan is a write that was checked and is not yet applied, so that a batch can
// be refused as a whole.
type hsPlan struct {
	object *hsObject
	record *hsRecord // nil: create
	values map[string]string
	links  []hsLink
	isNew  bool
	trace  string
}

// hsClaims are the unique values that earlier inputs of one batch will take.
type hsClaims map[string]bool

func (h *hubspot) planCreate(o *hsObject, in hsInput, claims hsClaims) (*hsPlan, *hsError) {
	values, e := h.validate(o, in.Properties)
	if e != nil {
		return nil, e
	}
	if e := required(o, values, in.Assoc); e != nil {
		return nil, e
	}
	if e := o.checkUnique(nil, values, claims); e != nil {
		return nil, e
	}
	links, e := h.planLinks(o, in.Assoc)
	if e != nil {
		return nil, e
	}
	return &hsPlan{object: o, values: values, links: links, isNew: true, trace: in.Trace}, nil
}

func (h *hubspot) planUpdate(o *hsObject, r *hsRecord, in hsInput, claims hsClaims) (*hsPlan, *hsError) {
	values, e := h.validate(o, in.Properties)
	if e != nil {
		return nil, e
	}
	if to, sent := values["lifecyclestage"]; sent && lifecycleBack(r.props["lifecyclestage"], to) {
		delete(values, "lifecyclestage")
	}
	if at, sent := values["hs_timestamp"]; sent && at == "" && (o.name == "calls" || o.name == "notes") {
		return nil, missingProperty(o, "hs_timestamp")
	}
	if e := o.checkUnique(r, values, claims); e != nil {
		return nil, e
	}
	return &hsPlan{object: o, record: r, values: values, trace: in.Trace}, nil
}

// planUpsert finds the record by a unique property, or by a contact's e-mail.
func (h *hubspot) planUpsert(o *hsObject, in hsInput, claims hsClaims) (*hsPlan, *hsError) {
	if in.ID == "" || in.IDProperty == "" {
		return nil, hsInvalid("Both id and idProperty are required to upsert %s", o.name)
	}
	p := o.byName[in.IDProperty]
	byEmail := o.name == "contacts" && in.IDProperty == "email"
	if p == nil || in.IDProperty == "hs_object_id" || !p.Unique && !byEmail {
		return nil, hsInvalid("Property %q is not a unique property of %s", in.IDProperty, o.name)
	}
	if in.Properties == nil {
		in.Properties = map[string]any{}
	}
	r := o.find(in.IDProperty, in.ID)
	if r == nil {
		if _, sent := in.Properties[in.IDProperty]; !sent {
			in.Properties[in.IDProperty] = in.ID
		}
		return h.planCreate(o, in, claims)
	}
	plan, e := h.planUpdate(o, r, in, claims)
	if e == nil && byEmail {
		// "Partial upserts are not supported when using email as the idProperty"
		// (contacts guide, 2026-11): what was not sent does not survive here.
		for name := range r.props {
			if _, sent := plan.values[name]; !sent && name != "email" && name != "hs_additional_emails" && !o.byName[name].Modify.ReadOnlyValue {
				plan.values[name] = ""
			}
		}
	}
	return plan, e
}

// required checks what a new record cannot be without.
func required(o *hsObject, values map[string]string, assoc []hsAssociation) *hsError {
	switch o.name {
	case "contacts":
		if values["email"]+values["firstname"]+values["lastname"] == "" {
			return hsInvalid("At least one of the properties email, firstname, lastname is required to create a contact.")
		}
	case "calls", "notes", "tasks":
		if values["hs_timestamp"] == "" {
			return missingProperty(o, "hs_timestamp")
		}
	case "leads":
		if values["hs_lead_name"] == "" {
			return missingProperty(o, "hs_lead_name")
		}
		if len(assoc) == 0 {
			return hsInvalid("A lead must be associated with a contact.")
		}
	case "companies":
		if values["name"]+values["domain"] == "" {
			return hsInvalid("At least one of the properties name, domain is required to create a company.")
		}
	case "deals":
		if values["dealname"] == "" {
			return missingProperty(o, "dealname")
		}
	}
	return nil
}

func missingProperty(o *hsObject, name string) *hsError {
	e := hsInvalid("Error creating %s. Some required properties were not set.", strings.ToUpper(o.singular))
	e.context = map[string][]string{"properties": {name}}
	return e
}

// apply carries a plan out. It cannot fail.
func (h *hubspot) apply(p *hsPlan, now time.Time) *hsRecord {
	o, r := p.object, p.record
	if r == nil {
		r = &hsRecord{id: h.newID(), object: o, props: map[string]string{}, created: now}
		r.props["hs_object_id"] = r.id
		r.props[o.created()] = isoTime(now)
		o.records = append(o.records, r)
		o.byID[r.id] = r
	}
	o.unindex(r)
	for name, value := range p.values {
		if value == "" {
			delete(r.props, name)
		} else {
			r.props[name] = value
		}
	}
	r.updated = now
	r.props[o.modified()] = isoTime(now)
	r.calculate()
	o.index(r)
	for _, l := range p.links {
		link(r, l.to, l.category, l.typeID)
	}
	if h.opts.SearchDelay > 0 {
		r.remember(now, h.opts.SearchDelay)
	}
	return r
}

// calculate fills the properties that HubSpot derives from others.
func (r *hsRecord) calculate() {
	for from, to := range map[string]string{
		"phone":       "hs_searchable_calculated_phone_number",
		"mobilephone": "hs_searchable_calculated_mobile_number",
	} {
		if r.object.byName[to] == nil {
			continue
		}
		if digits := nationalDigits(r.props[from]); digits != "" {
			r.props[to] = digits
		} else {
			delete(r.props, to)
		}
	}
	if r.object.name == "deals" {
		r.props["hs_is_closed"] = strconv.FormatBool(strings.HasPrefix(r.props["dealstage"], "closed"))
	}
	if _, domain, ok := strings.Cut(r.props["email"], "@"); ok && r.object.name == "contacts" {
		r.props["hs_email_domain"] = domain
	} else {
		delete(r.props, "hs_email_domain")
	}
}

// remember keeps a copy for searches, and drops those that none can see any more.
func (r *hsRecord) remember(now time.Time, delay time.Duration) {
	for len(r.versions) > 1 && now.Sub(r.versions[1].from) >= delay {
		r.versions = r.versions[1:]
	}
	props := make(map[string]string, len(r.props))
	for k, v := range r.props {
		props[k] = v
	}
	r.versions = append(r.versions, hsSnapshot{from: now, props: props})
}
