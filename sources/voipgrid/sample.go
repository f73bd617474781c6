package voipgrid

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/sources"
)

var _ sources.Sampler = (*Source)(nil)

// sampleKinds are the payloads that Sample makes. Of those with the same n, all
// but the last three are the same call.
var sampleKinds = []string{
	"call_completed", "call_created", "call_ringing", "call_answered", "call_warm_transferred", "call_cold_transferred",
	"call_missed", "call_busy", "call_cancelled", "call_abandoned", "call_failed",
	"call_consulting", "call_outbound", "call_internal",
}

// Samples names the kinds of payload.
func (*Source) Samples() []string { return slices.Clone(sampleKinds) }

// Sample makes a payload. People with the same n are the same in every kind.
// call_consulting is the call to the colleague whom the transfers reach.
func (*Source) Sample(kind string, n int, at time.Time) ([]byte, error) {
	if !slices.Contains(sampleKinds, kind) {
		return nil, fmt.Errorf("no sample %q; there are %s", kind, strings.Join(sampleKinds, ", "))
	}
	if n < 0 {
		n = -n
	}
	p := sources.Invent(n)
	sales, support := colleague(201+2*(n%40)), colleague(202+2*(n%40))
	body := map[string]any{
		"call_id": callID(n, 1), "timestamp": at.UTC().Format("2006-01-02T15:04:05.000000-07:00"), "version": "v2", "direction": "inbound",
		"caller":      map[string]any{"number": p.Number, "name": nil, "account_number": nil, "user_numbers": []string{}, "user_emails": []string{}},
		"destination": map[string]any{"number": sources.OurNumber},
	}
	targets := func(number string, who ...map[string]any) {
		body["destination"] = map[string]any{"number": number, "targets": who}
	}
	ended := func(reason string) { body["status"], body["reason"] = "ended", reason }
	switch kind {
	case "call_created":
		body["status"] = "created"
		body["caller"] = map[string]any{"number": p.Number, "name": p.First + " " + p.Last + " | " + p.Company}
	case "call_ringing", "call_answered":
		body["status"] = map[string]string{"call_ringing": "ringing", "call_answered": "in-progress"}[kind]
		targets(sources.OurNumber, sales)
	case "call_warm_transferred", "call_cold_transferred":
		body["status"] = strings.Replace(strings.TrimSuffix(strings.TrimPrefix(kind, "call_"), "red"), "_", "-", 1)
		body["merged_id"], body["redirector"] = callID(n, 2), sales
		targets(sources.OurNumber, support)
	case "call_completed":
		ended("completed")
	case "call_missed":
		ended("no-answer")
	case "call_busy":
		ended("busy")
	case "call_cancelled":
		ended("cancelled")
	case "call_abandoned":
		ended("abandon")
	case "call_failed":
		ended("failed")
	case "call_consulting":
		body["call_id"], body["direction"], body["caller"], body["status"] = callID(n, 2), "outbound", sales, "in-progress"
		targets(support["number"].(string), support)
	case "call_outbound":
		ended("completed")
		body["call_id"], body["direction"], body["caller"] = callID(n, 3), "outbound", sales
		body["destination"] = map[string]any{"number": "0" + strings.TrimPrefix(p.Number, "+49")} // as a colleague types it
		if !strings.HasPrefix(p.Number, "+49") {
			body["destination"] = map[string]any{"number": p.Number}
		}
	case "call_internal":
		ended("completed")
		body["call_id"], body["direction"], body["caller"] = callID(n, 4), "outbound", sales
		body["destination"] = map[string]any{"number": support["number"]}
	}
	return json.Marshal(body)
}

// callID is the id of one of the calls with person n.
func callID(n, which int) string { return fmt.Sprintf("ua0-exa-prd-1772616601.%d%d", n, which) }

func colleague(account int) map[string]any {
	number := fmt.Sprint(account)
	return map[string]any{
		"number": number, "name": "Vertrieb " + number, "account_number": account,
		"user_numbers": []string{number}, "user_emails": []string{"vertrieb." + number + "@example.com"},
	}
}
