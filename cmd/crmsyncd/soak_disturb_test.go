package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// disturb does one evil after the other until ctx ends.
func (s *soak) disturb(ctx context.Context, r *rand.Rand) {
	for ctx.Err() == nil && !s.t.Failed() {
		switch n := r.IntN(100); {
		case n < 15:
			s.stop(syscall.SIGKILL)
			s.start()
		case n < 20:
			s.stop(syscall.SIGTERM)
			s.start()
		case n < 26:
			s.write("mapping.yaml", variant(s.mapping, r.IntN(3)))
			s.reload()
		case n < 31 && s.catches(): // else the daemon would not start at all
			s.write("mapping.yaml", s.mapping+"\n  - nonsense: =contact.nme\n")
			s.reload()
			linger(ctx, r, 200*time.Millisecond)
			s.write("mapping.yaml", s.mapping)
		case n < 45:
			s.fault(http.MethodDelete, "")
		default:
			s.fault(http.MethodPost, randomFault(r))
			s.faults++
		}
		linger(ctx, r, 300*time.Millisecond)
	}
}

// variant is a mapping that wants the same by other means: other names of the
// rules, or their records by other keys.
func variant(mapping string, n int) string {
	switch n {
	case 1:
		return strings.ReplaceAll(mapping, "name: Calls in", "name: All calls in")
	case 2:
		return strings.ReplaceAll(mapping, "match: [telli_contact_id, email, phone]", "match: [telli_contact_id, phone]")
	}
	return mapping
}

// withoutUpserts is a mapping by whose keys HubSpot cannot upsert: what a lost
// answer left behind must be looked for.
func withoutUpserts(mapping string) string {
	return strings.NewReplacer(
		"match: [telli_contact_id, email, phone]", "match: [email, phone]",
		"match: telli_call_id", "match: [[hs_timestamp, hs_call_to_number]]",
	).Replace(mapping)
}

// oneKey is a mapping that looks for records by one key each.
func oneKey(mapping string) string {
	return strings.NewReplacer(
		"match: [telli_contact_id, email, phone]", "match: telli_contact_id",
		"match: [telli_contact_id, Email, Phone]", "match: telli_contact_id",
		"match: [Telli contact id, email, phone]", "match: Telli contact id",
		"match: [Telli_Contact_Id__c, Email, Phone]", "match: Telli_Contact_Id__c",
		"{value: =contact.last_name, if: empty}", "=contact.last_name",
	).Replace(mapping)
}

// randomFault is one fault that passes: none of them is the fault of a record.
func randomFault(r *rand.Rand) string {
	crm := []string{"hubspot", "airtable", "pipedrive", "salesforce", "webhook"}[r.IntN(5)]
	paths := map[string][]string{
		"hubspot":    {"", "/contacts/batch/upsert", "/contacts/batch/update", "/calls/batch/", "/associations/", "/batch/read", "/search", "/crm/properties"},
		"airtable":   {"", "", "/listRecords", "/v0/appCrmsyncdDemo00"},
		"pipedrive":  {"", "/persons", "/activities", "/search"},
		"salesforce": {"", "/composite", "/query"},
		"webhook":    {""},
	}[crm]
	what := []string{
		`"status":503`, `"status":503,"retry_after":1`, `"status":500`, `"status":502`, `"status":429,"retry_after":1`,
		`"lost_reply":true`, `"lost_reply":true`, `"lost_reply":true,"latency_ms":300`, `"status":503,"lost_reply":true`,
		fmt.Sprintf(`"latency_ms":%d`, r.IntN(2000)+1), `"partial":true,"status":500`, `"status":401`,
	}
	if crm != "hubspot" && crm != "airtable" {
		what = what[:10] // one record at a time, or a refusal that means something else
	}
	chosen := what[r.IntN(len(what))]
	if strings.Contains(chosen, "429") && r.IntN(10) == 0 {
		chosen = `"status":429` // the connectors then know by themselves how long: 10 s and 30 s
	}
	often := fmt.Sprintf(`"rate":%.2f`, 0.1+0.9*r.Float64())
	if strings.Contains(chosen, "429") || strings.Contains(chosen, "401") || r.IntN(2) == 0 {
		often = fmt.Sprintf(`"times":%d`, 1+r.IntN(3))
	}
	return fmt.Sprintf(`{"crm":%q,"path":%q,%s,%s}`, crm, paths[r.IntN(len(paths))], chosen, often)
}

// fault changes what the sandbox does wrong.
func (s *soak) fault(method, body string) {
	req, err := http.NewRequest(method, s.crm+"/_/faults", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		s.t.Fatalf("fault %s: %s", body, resp.Status)
	}
}

// linger waits up to most, or until ctx ends.
func linger(ctx context.Context, r *rand.Rand, most time.Duration) {
	select {
	case <-time.After(time.Duration(r.Int64N(int64(most)))):
	case <-ctx.Done():
	}
}
