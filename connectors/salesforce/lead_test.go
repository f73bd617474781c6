package salesforce_test

import (
	"fmt"
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors"
)

func TestAConvertedLeadIsFollowedToItsContact(t *testing.T) {
	t.Parallel()
	o := newOrg(t, nil)
	first := o.write(lead("t1", "Meier"))[0]
	o.post("PUT /_/records/salesforce/Lead/"+first.ID, map[string]any{"IsConverted": true})
	contact := o.box.Records("salesforce", "Contact")[0].ID

	found, err := o.c.Find(t.Context(), []connectors.Match{
		{Object: "Lead", Keys: []connectors.Key{{{Field: "Phone", Value: "030 901820"}}}, Read: []string{"LastName", "Company"}},
		{Object: "Lead", Keys: []connectors.Key{{{Field: connectors.ID, Value: first.ID}}}},
		{Object: "Lead", Keys: []connectors.Key{{{Field: connectors.ID, Value: contact}}}, Read: []string{"LastName"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for n, f := range found {
		if f.Err != nil || len(f.Records) != 1 || f.Records[0].ID != contact {
			t.Errorf("match %d: got %+v, want the contact", n, f)
		}
	}
	if name := found[0].Records[0].Fields["LastName"]; name != "Meier" {
		t.Errorf("the contact's name was read as %v", name)
	}
	again := o.write(lead("t1", "Maier"))[0]
	if again.Err != nil || again.ID != contact || again.Created || again.Adjusted["Status"] == "" {
		t.Fatalf("upsert: got %+v, want the contact written and the status noted as not", again)
	}
	if got := o.record("Contact", contact).Fields["LastName"]; got != "Maier" {
		t.Errorf("the contact's name is %v", got)
	}
	byID := lead("t1", "Mayer")
	byID.Key = nil
	for _, id := range []string{first.ID, contact} {
		byID.ID = id
		if r := o.write(byID)[0]; r.Err != nil || r.ID != contact {
			t.Errorf("update of %s: got %+v, want the contact", id, r)
		}
	}
	for n, id := range []string{first.ID, contact} {
		r := o.write(call(fmt.Sprint("c", n), connectors.Link{Object: "Lead", ID: id}))[0]
		if r.Err != nil || o.record("Task", r.ID).Fields["WhoId"] != contact {
			t.Errorf("a call of %s: got %+v, want it on the contact", id, r)
		}
	}
	if n := len(o.box.Records("salesforce", "Lead")) + len(o.box.Records("salesforce", "Contact")); n != 2 {
		t.Errorf("%d people, want the lead and its contact", n)
	}
}

func TestAnOpenLeadWinsOverAConvertedOne(t *testing.T) {
	t.Parallel()
	o := newOrg(t, nil)
	old := o.write(lead("t1", "Meier"))[0]
	o.post("PUT /_/records/salesforce/Lead/"+old.ID, map[string]any{"IsConverted": true})
	open := o.plant("Lead", map[string]any{"LastName": "Meier", "Company": "ACME", "MobilePhone": "0049 30/901 820"})
	found, err := o.c.Find(t.Context(), []connectors.Match{{Object: "Lead", Keys: []connectors.Key{{{Field: "Phone", Value: "+4930901820"}}}}})
	if err != nil || len(found[0].Records) != 1 || found[0].Records[0].ID != open {
		t.Errorf("got %+v %v, want the open lead %s", found, err, open)
	}
}

func TestAMergedRecordIsFollowedAlongAChainAndIntoAConvertedLead(t *testing.T) {
	t.Parallel()
	o := newOrg(t, nil)
	var ids []string
	for n := range 4 {
		ids = append(ids, o.plant("Lead", map[string]any{"LastName": fmt.Sprint("L", n), "Company": "ACME"}))
	}
	for n := range 3 { // 0 into 1, 1 into 2, 2 into 3
		o.post("PUT /_/records/salesforce/Lead/"+ids[n], map[string]any{"MasterRecordId": ids[n+1]})
	}
	change := connectors.Change{Object: "Lead", ID: ids[0], Fields: map[string]connectors.Value{"LastName": "New"}}
	if r := o.write(change)[0]; r.Err != nil || r.ID != ids[3] {
		t.Fatalf("got %+v, want the lead that is left", r)
	}
	o.post("PUT /_/records/salesforce/Lead/"+ids[3], map[string]any{"IsConverted": true})
	contact := o.box.Records("salesforce", "Contact")[0].ID
	read, err := o.c.(connectors.Reader).Read(t.Context(), "Lead", []string{ids[0], ids[3][:15], contact[:15]}, []string{"LastName"})
	if err != nil {
		t.Fatal(err)
	}
	for n, r := range read {
		if r.Err != nil || r.Gone || r.Record.ID != contact || r.Merged != (n < 2) || r.Record.Fields["LastName"] != "New" {
			t.Errorf("id %d: got %+v, want the contact of the lead that is left", n, r)
		}
	}
	change.Fields["LastName"] = "Newer"
	if r := o.write(change)[0]; r.Err != nil || r.ID != contact {
		t.Errorf("after it was converted: got %+v, want its contact", r)
	}
	if r := o.write(call("c1", connectors.Link{Object: "Lead", ID: ids[1]}))[0]; r.Err != nil || o.record("Task", r.ID).Fields["WhoId"] != contact {
		t.Errorf("a call of a merged lead: got %+v, want it on the contact", r)
	}
	o.fault(map[string]any{"status": 503, "path": "/queryAll"})
	change.ID = ids[1]
	if r := o.write(change)[0]; r.Err == nil || r.Err.Kind != connectors.Transient {
		t.Errorf("while it cannot be told where a record went: got %+v, want another try", r)
	}
}
