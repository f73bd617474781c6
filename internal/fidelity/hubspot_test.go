package fidelity

import "testing"

// TestTheListIsHeldUp shows that the check can fail.
func TestTheListIsHeldUp(t *testing.T) {
	t.Parallel()
	es, err := HubSpot(specs + "/hubspot/hubspot-endpoint-facts.json")
	if err != nil {
		t.Skip("the list of HubSpot's endpoints is not beside this checkout: ", err)
	}
	for name, c := range map[string]struct {
		method, path string
		status       int
		wrong        bool
	}{
		"a create":                      {"POST", "/crm/v3/objects/contacts", 201, false},
		"a create answered as a read":   {"POST", "/crm/v3/objects/contacts", 200, true},
		"a search is no record":         {"POST", "/crm/objects/2026-09/contacts/search", 200, false},
		"an object named in the path":   {"GET", "/crm/objects/2026-09/p1_roofs/7", 200, false},
		"a method that is not there":    {"PUT", "/crm/v3/objects/contacts/7", 200, true},
		"the same, refused":             {"PUT", "/crm/v3/objects/contacts/7", 405, false},
		"a path that is not there":      {"GET", "/crm/v3/objects/contacts/7/wings", 200, true},
		"an error":                      {"POST", "/crm/v3/objects/contacts", 409, false},
		"a part that the list leaves":   {"GET", "/crm-object-schemas/v3/schemas", 200, false},
		"several answers in one":        {"POST", "/crm/v3/objects/contacts/batch/create", 207, false},
		"a token for a code":            {"POST", "/oauth/v1/token", 200, false},
		"labels in the order of v3":     {"GET", "/crm/v4/associations/calls/contacts/labels", 200, false},
		"associations of one to others": {"GET", "/crm/v4/objects/contacts/7/associations/calls", 200, false},
	} {
		got := es.Check(Exchange{Method: c.method, Path: c.path, Status: c.status})
		if (len(got) > 0) != c.wrong {
			t.Errorf("%s: want problems: %v, got %v", name, c.wrong, got)
		}
	}
}
