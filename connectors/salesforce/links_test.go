package salesforce_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors"
)

func TestASubtypeIsSetWhenATaskIsMadeAndLeftAloneLater(t *testing.T) {
	t.Parallel()
	o := newOrg(t, nil)
	first := o.write(call("1"))[0]
	second := o.write(call("1"))[0]
	if first.Err != nil || second.Err != nil || first.ID != second.ID || second.Created {
		t.Fatalf("got %+v, then %+v", first, second)
	}
	task := o.record("Task", first.ID).Fields
	if task["TaskSubtype"] != "Call" || task["CallDurationInSeconds"] != 63.0 {
		t.Errorf("got %v", task)
	}
	// Made by somebody else between our look and our write.
	made := false
	o.before = func(_ http.ResponseWriter, r *http.Request) bool {
		if !made && r.Method == http.MethodPatch {
			made = true
			o.plant("Task", map[string]any{"Subject": "x", "Call_Id__c": "2"})
		}
		return false
	}
	if r := o.write(call("2"))[0]; r.Err != nil || r.Created {
		t.Errorf("got %+v, want the other's task updated", r)
	}
}

func TestATaskKeepsItsPersonWhereSharedActivitiesAreOff(t *testing.T) {
	t.Parallel()
	o := newOrg(t, nil)
	o.before = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "TaskRelation") {
			return false
		}
		w.WriteHeader(404)
		w.Write([]byte(`[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]`))
		return true
	}
	a := o.plant("Contact", map[string]any{"LastName": "A"})
	b := o.plant("Contact", map[string]any{"LastName": "B"})
	o.write(call("1", connectors.Link{Object: "Contact", ID: a}))
	r := o.write(call("1", connectors.Link{Object: "Contact", ID: b}))[0]
	if r.Err != nil || r.Adjusted["WhoId"] == "" || o.record("Task", r.ID).Fields["WhoId"] != a {
		t.Errorf("got %+v, want the first person kept and a note", r)
	}
	named := o.write(call("1", connectors.Link{Object: "Contact", ID: b, Field: "WhoId"}))[0]
	if named.Err != nil || o.record("Task", r.ID).Fields["WhoId"] != b {
		t.Errorf("got %+v, want the named lookup replaced", named)
	}
}

func TestLookupsAreChosenByTheOtherObject(t *testing.T) {
	t.Parallel()
	o := newOrg(t, nil)
	account := o.plant("Account", map[string]any{"Name": "ACME"})
	person := keyed("Contact", "Telli_Contact_Id__c", map[string]connectors.Value{"Telli_Contact_Id__c": "1", "LastName": "A"})
	person.Links = []connectors.Link{{Object: "Account", ID: account}}
	r := o.write(person)[0]
	if r.Err != nil || o.record("Contact", r.ID).Fields["AccountId"] != account {
		t.Fatalf("got %+v, want the contact at the account", r)
	}
	c := o.write(call("1", connectors.Link{Object: "Contact", ID: r.ID}, connectors.Link{Object: "Account", ID: account}))[0]
	if task := o.record("Task", c.ID).Fields; c.Err != nil || task["WhoId"] != r.ID || task["WhatId"] != account {
		t.Errorf("got %+v %v", c, task)
	}
	for _, l := range []connectors.Link{{Object: "Opportunity", ID: account}, {Object: "Account", ID: account, Field: "LastName"}, {Object: "Account", ID: "x"}, {Object: "Account", ID: account, Type: "x"}} {
		person.Links = []connectors.Link{l}
		if r := o.write(person)[0]; r.Err == nil || r.Err.Kind != connectors.Invalid {
			t.Errorf("link %+v: got %v, want invalid", l, r.Err)
		}
	}
}
