package hubspot

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	retry := http.Header{"Retry-After": {"7"}}
	for _, c := range []struct {
		name   string
		status int
		header http.Header
		body   string
		want   connectors.Error // Message is not compared
	}{
		{"ten seconds", 429, nil, `{"errorType":"RATE_LIMIT","policyName":"TEN_SECONDLY_ROLLING"}`, connectors.Error{Kind: connectors.RateLimited, Code: "TEN_SECONDLY_ROLLING", Account: true, Wait: 10 * time.Second}},
		{"a second, by its message", 429, nil, `{"message":"You have reached your secondly limit."}`, connectors.Error{Kind: connectors.RateLimited, Code: "SECONDLY", Account: true, Wait: time.Second}},
		{"the day, by its message", 429, nil, `{"message":"You have reached your daily limit."}`, connectors.Error{Kind: connectors.RateLimited, Code: "DAILY", Account: true, Park: true, Wait: time.Hour}},
		{"an edge's 429", 429, retry, `<html>`, connectors.Error{Kind: connectors.RateLimited, Code: "TEN_SECONDLY_ROLLING", Account: true, Wait: 7 * time.Second}},
		{"moving", 477, retry, `{}`, connectors.Error{Kind: connectors.RateLimited, Account: true, Park: true, Wait: 7 * time.Second}},
		{"no token", 401, nil, `{"category":"INVALID_AUTHENTICATION"}`, connectors.Error{Kind: connectors.Auth, Code: "INVALID_AUTHENTICATION", Account: true}},
		{"no scope", 403, nil, `{"category":"MISSING_SCOPES"}`, connectors.Error{Kind: connectors.Auth, Code: "MISSING_SCOPES", Account: true}},
		{"gone", 404, nil, `{"category":"OBJECT_NOT_FOUND"}`, connectors.Error{Kind: connectors.NotFound, Code: "OBJECT_NOT_FOUND"}},
		{"an address that is not HubSpot's", 404, nil, `<html>`, connectors.Error{Kind: connectors.Transient, Account: true, Park: true}},
		{"conflict with its id", 409, nil, `{"message":"Contact already exists. Existing ID: 6001","category":"CONFLICT"}`, connectors.Error{Kind: connectors.Conflict, Code: "CONFLICT", IDs: []string{"6001"}}},
		{"locked", 423, nil, `{}`, connectors.Error{Kind: connectors.Transient, Wait: 2 * time.Second}},
		{"an edge that cannot reach HubSpot", 522, nil, `<html>`, connectors.Error{Kind: connectors.Unknown, Wait: time.Minute}},
		{"an edge's time-out", 524, nil, `<html>`, connectors.Error{Kind: connectors.Unknown}},
		{"not looked at", 503, retry, ``, connectors.Error{Kind: connectors.Transient, Wait: 7 * time.Second}},
		{"a property in the message's JSON", 400, nil, `{"message":"Property values were not valid: [{\"isValid\":false,\"message\":\"x\",\"error\":\"INVALID_OPTION\",\"name\":\"status\"}]","category":"VALIDATION_ERROR"}`, connectors.Error{Kind: connectors.Invalid, Code: "INVALID_OPTION", Field: "status"}},
		{"a property in errors", 400, nil, `{"category":"VALIDATION_ERROR","errors":[{"message":"x","code":"INVALID_INTEGER","context":{"propertyName":["discount"]}}]}`, connectors.Error{Kind: connectors.Invalid, Code: "INVALID_INTEGER", Field: "discount"}},
		{"data where code and name should be", 400, nil, `{"category":"somebody@example.com","errors":[{"code":"+49 30","context":{"propertyName":["a b@c"]}}]}`, connectors.Error{Kind: connectors.Invalid}},
		{"a redirect", 302, nil, ``, connectors.Error{Kind: connectors.Transient, Account: true, Park: true}},
		{"not JSON", 400, nil, `null`, connectors.Error{Kind: connectors.Invalid}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := classify(&httpx.Response{Status: c.status, Header: c.header, Body: []byte(c.body)}, false)
			if got.Message == "" {
				t.Error("it has no message")
			}
			got.Message = ""
			if diff := cmp.Diff(c.want, *got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzClassify(f *testing.F) {
	f.Add(400, []byte(`{"message":"Property values were not valid: [{}]","context":{"objectWriteTraceId":["1"]},"errors":[{"context":{"propertyName":"x"}}]}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if e := classify(&httpx.Response{Status: status, Header: http.Header{}, Body: body}, true); e.Error() == "" {
			t.Error("no message")
		}
	})
}
