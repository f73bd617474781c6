package fidelity

import "testing"

const specs = "../../../shared/specs"

// TestTheDocumentIsHeldUp shows that the check can fail.
func TestTheDocumentIsHeldUp(t *testing.T) {
	t.Parallel()
	ds, err := Pipedrive(specs + "/pipedrive")
	if err != nil {
		t.Skip("Pipedrive's OpenAPI documents are not beside this checkout: ", err)
	}
	good := `{"success":true,"data":{"id":1,"name":"N","custom_fields":{}}}`
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		answer             string
		wrong              bool
	}{
		"what fits":                     {"POST", "/api/v2/persons", `{"name":"N"}`, 200, good, false},
		"a field that is not there":     {"POST", "/api/v2/persons", `{"nick":"N"}`, 200, good, true},
		"a number as text":              {"POST", "/api/v2/persons", `{"owner_id":"1"}`, 200, good, true},
		"a status":                      {"POST", "/api/v2/persons", `{"name":"N"}`, 201, good, true},
		"an answer of another kind":     {"POST", "/api/v2/persons", `{"name":"N"}`, 200, `{"success":true,"data":[]}`, true},
		"an operation that is not here": {"PUT", "/api/v2/persons/1", `{"name":"N"}`, 200, good, true},
		"a refusal":                     {"PUT", "/api/v2/persons/1", `{"name":"N"}`, 405, `{"success":false}`, false},
		"a word that is no choice":      {"POST", "/v1/callLogs", `{"to_phone_number":"1","outcome":"great","start_time":"","end_time":""}`, 200, `{"success":true}`, true},
		"a required field":              {"POST", "/v1/callLogs", `{"to_phone_number":"1"}`, 200, `{"success":true}`, true},
	} {
		got := ds.Check(Exchange{Method: c.method, Path: c.path, ContentType: "application/json", Body: []byte(c.body), Status: c.status, Answer: []byte(c.answer)})
		if (len(got) > 0) != c.wrong {
			t.Errorf("%s: want problems: %v, got %v", name, c.wrong, got)
		}
	}
}
