package sandbox

import (
	"testing"
)

func TestPipedriveMerge(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	a := r.pdPerson(`{"name":"A","emails":[{"value":"a@example.com","primary":true}]}`)
	b := r.pdPerson(`{"name":"B","emails":[{"value":"b@example.com","primary":true}],"phones":[{"value":"1"}],"job_title":"Cook"}`)
	call := pdID(r.pd("POST", pdActivitiesPath, `{"type":"call","participants":[{"person_id":`+b+`,"primary":true}]}`).ok(200, 201))
	path := "/pipedrive/v1/persons/" + b + "/merge"
	r.pd("GET", path, "").ok(405)
	r.pd("PUT", path, `{"merge_with_id":"`+a+`"}`).ok(400)
	r.pd("PUT", path, `{"merge_with_id":`+b+`}`).ok(400)
	r.pd("PUT", path, `{"merge_with_id":`+a+`,"x":1}`).ok(400)
	r.pd("PUT", path, `{"merge_with_id":999}`).ok(404)
	r.pd("PUT", "/pipedrive/v1/notes/1/merge", `{"merge_with_id":1}`).ok(404)
	r.pd("PUT", path, `{"merge_with_id":`+a+`}`).ok(200).want("data.merge_what_id", r.pd("GET", pdPersonsPath+"/"+b, "").at("data.id"))
	r.pd("GET", pdPersonsPath+"/"+b, "").ok(200).want("data.is_deleted", true)
	r.pd("PATCH", pdPersonsPath+"/"+b, `{"name":"x"}`).ok(410)
	r.pd("GET", pdPersonsPath+"/"+a, "").ok(200).want("data.name", "A").want("data.job_title", "Cook").want("data.emails.1.value", "b@example.com").want("data.phones.0.value", "1")
	r.pd("GET", pdActivitiesPath+"/"+call, "").ok(200).want("data.person_id", r.pd("GET", pdPersonsPath+"/"+a, "").at("data.id"))
	one, two := pdID(r.pd("POST", "/pipedrive/api/v2/organizations", `{"name":"One"}`).ok(200)), pdID(r.pd("POST", "/pipedrive/api/v2/organizations", `{"name":"Two"}`).ok(200))
	r.pd("PATCH", pdPersonsPath+"/"+a, `{"org_id":`+two+`}`).ok(200)
	kept := r.pd("PUT", "/pipedrive/v1/organizations/"+two+"/merge", `{"merge_with_id":`+one+`}`).ok(200).at("data.id")
	r.pd("GET", pdPersonsPath+"/"+a, "").ok(200).want("data.org_id", kept)
}

func TestSalesforceMerge(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	a, b := r.sfContact(`{"LastName":"A"}`), r.sfContact(`{"LastName":"B"}`)
	task := r.sf("POST", "/sobjects/Task", `{"WhoId":"`+b+`"}`).ok(201).str("id")
	r.sf("PATCH", "/sobjects/Contact/"+b, `{"MasterRecordId":"`+a+`"}`).ok(400) // not by REST
	r.do("PUT", "/_/records/salesforce/Contact/"+b, `{"MasterRecordId":"`+b+`"}`).ok(422)
	r.do("PUT", "/_/records/salesforce/Contact/"+b, `{"MasterRecordId":"`+a+`"}`).ok(200)
	r.sf("GET", "/sobjects/Task/"+task, "").ok(200).want("WhoId", a)
	r.soql("SELECT Id FROM Contact WHERE Id = '"+b+"'").ok(200).want("totalSize", 0)
	r.sf("GET", "/queryAll?q=SELECT+Id,IsDeleted,MasterRecordId+FROM+Contact+WHERE+Id='"+b+"'", "").ok(200).
		want("records.0.MasterRecordId", a).want("records.0.IsDeleted", true)
	r.sf("PATCH", "/sobjects/Contact/"+b, `{"LastName":"x"}`).ok(404).want("0.errorCode", "ENTITY_IS_DELETED")
	r.sf("POST", "/sobjects/Task", `{"WhoId":"`+b+`"}`).ok(400).want("0.errorCode", "ENTITY_IS_DELETED")
}
