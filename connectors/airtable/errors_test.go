package airtable

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
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   connectors.Error // Message is not compared
	}{
		{"burst", 429, `{"errors":[{"error":"RATE_LIMIT_REACHED","message":"x"}]}`, connectors.Error{Kind: connectors.RateLimited, Code: "RATE_LIMIT_REACHED", Account: true, Wait: 30 * time.Second}},
		{"month", 429, `{"errors":[{"error":"PUBLIC_API_BILLING_LIMIT_EXCEEDED"}]}`, connectors.Error{Kind: connectors.RateLimited, Code: billing, Account: true, Park: true}},
		{"an edge's 429", 429, `<html>`, connectors.Error{Kind: connectors.RateLimited, Account: true, Wait: 30 * time.Second}},
		{"no token", 401, `{"error":{"type":"AUTHENTICATION_REQUIRED","message":"x"}}`, connectors.Error{Kind: connectors.Auth, Code: "AUTHENTICATION_REQUIRED", Account: true}},
		{"not granted", 403, `{"error":{"type":"INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND"}}`, connectors.Error{Kind: connectors.Auth, Code: "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND", Account: true}},
		{"a bare word", 404, `{"error":"NOT_FOUND"}`, connectors.Error{Kind: connectors.NotFound, Code: "NOT_FOUND"}},
		{"an address that is not Airtable's", 404, `<html>`, connectors.Error{Kind: connectors.Transient, Account: true, Park: true}},
		{"too large", 413, `{}`, connectors.Error{Kind: connectors.Invalid}},
		{"a field", 422, `{"error":{"type":"INVALID_VALUE_FOR_COLUMN","message":"Field \"First name\" cannot accept the provided value"}}`, connectors.Error{Kind: connectors.Invalid, Code: "INVALID_VALUE_FOR_COLUMN", Field: "First name"}},
		{"a row", 422, `{"error":{"type":"ROW_DOES_NOT_EXIST","message":"Record ID recABCDEFGHIJKLMN does not exist"}}`, connectors.Error{Kind: connectors.Invalid, Code: noRow, IDs: []string{"recABCDEFGHIJKLMN"}}},
		{"pages that Airtable has let go of", 422, `{"error":{"type":"LIST_RECORDS_ITERATOR_NOT_AVAILABLE","message":"x"}}`, connectors.Error{Kind: connectors.Transient, Code: "LIST_RECORDS_ITERATOR_NOT_AVAILABLE"}},
		{"server", 500, `{}`, connectors.Error{Kind: connectors.Unknown}},
		{"not looked at", 503, ``, connectors.Error{Kind: connectors.Transient}},
		{"data where a code should be", 422, `{"error":"somebody@example.com"}`, connectors.Error{Kind: connectors.Invalid}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := classify(&httpx.Response{Status: c.status, Header: http.Header{}, Body: []byte(c.body)}, false)
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
	f.Add(422, []byte(`{"error":{"type":"X","message":"y"},"errors":[{"error":"X"}]}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if e := classify(&httpx.Response{Status: status, Header: http.Header{}, Body: body}, true); e.Error() == "" {
			t.Error("no message")
		}
	})
}
