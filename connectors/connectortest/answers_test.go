package connectortest_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/airtable"
	"github.com/crmsyncd/crmsyncd/connectors/hubspot"
	"github.com/crmsyncd/crmsyncd/connectors/pipedrive"
	"github.com/crmsyncd/crmsyncd/connectors/salesforce"
	"github.com/crmsyncd/crmsyncd/connectors/webhook"
)

// saying answers every request with the same bytes, a few times, and then that
// there is nothing.
type saying struct {
	status int
	kind   string
	body   []byte
	left   atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (s *saying) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	status, body := s.status, s.body
	if s.left.Add(-1) < 0 {
		status, body = http.StatusNotFound, []byte("{}") // which no connector tries again
	}
	return &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: -1,
		Header: http.Header{"Content-Type": {s.kind}}, Body: io.NopCloser(bytes.NewReader(body))}, nil
}

// FuzzAnswers has each CRM answer anything at all: a connector gives one answer
// to each question, or one for all, and does not fall over.
func FuzzAnswers(f *testing.F) {
	for vendor := range 5 {
		for _, body := range []string{
			"", "null", "[]", "{}", `{"results":[{"id":"1","properties":{"email":"a@b.c"}}],"paging":{"next":{"after":"1"}}}`, `{"records":[{"id":"rec1","fields":{}}],"offset":"x"}`,
			`{"success":true,"data":[{"id":1}],"additional_data":{"next_cursor":"x"}}`, `{"records":[{"Id":"1"}],"done":false,"nextRecordsUrl":"/x"}`,
			`{"access_token":"x","instance_url":"https://x.my.salesforce.com"}`, `{"tables":[{"id":"tbl1","name":"contacts","fields":[{"id":"f","name":"email","type":"email"}]}]}`,
			`{"results":[{"name":"email","type":"string","fieldType":"text"}]}`, `{"fields":[{"name":"Email","type":"email"}]}`, `{"status":"error","message":"x","errors":[]}`, `{"id":9e999,"data":{"id":-1}}`,
		} {
			f.Add(vendor, 200, "application/json", []byte(body))
			f.Add(vendor, 400, "application/json", []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, vendor, status int, kind string, body []byte) {
		if status < 200 || status > 599 || status == 429 || status >= 500 { // those are tried again, and wait
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		says := &saying{status: status, kind: kind, body: body}
		says.left.Store(8)
		opt := connectors.Options{Name: "x", Country: "DE", Transport: says}
		var c connectors.Connector
		var err error
		switch uint(vendor) % 5 {
		case 0:
			c, err = hubspot.New(hubspot.Config{AccessToken: "x", RequestsPer10s: 1_000_000}, opt)
		case 1:
			c, err = airtable.New(airtable.Config{AccessToken: "x", Base: "appTest0000000000", RequestsPerSecond: 1_000_000}, opt)
		case 2:
			c, err = pipedrive.New(pipedrive.Config{APIToken: "x", RequestsPer2s: 1_000_000}, opt)
		case 3:
			c, err = salesforce.New(salesforce.Config{LoginURL: "https://x.my.salesforce.com", ClientID: "x", ClientSecret: "x"}, opt)
		case 4:
			c, err = webhook.New(webhook.Config{URL: "https://x.example", Unsigned: true}, opt)
		}
		if err != nil {
			t.Fatal(err)
		}
		objects := []string{"contacts", "persons", "Contact"}
		_, _ = c.Describe(ctx, objects)
		for _, object := range objects {
			key := connectors.Key{{Field: "email", Value: "a@b.example"}}
			ms := []connectors.Match{{Object: object, Keys: []connectors.Key{key}, Read: []string{"email"}}, {Object: object, Keys: []connectors.Key{{{Field: connectors.ID, Value: "1"}}}}}
			if found, err := c.Find(ctx, ms); err == nil && len(found) != len(ms) {
				t.Errorf("%d answers to %d questions", len(found), len(ms))
			}
			cs := []connectors.Change{{Object: object, Key: key, Fields: map[string]connectors.Value{"email": "a@b.example"}}, {Object: object, ID: "1", Fields: map[string]connectors.Value{"email": "a@b.example"}}}
			if results, err := c.Write(ctx, cs); err == nil && len(results) != len(cs) {
				t.Errorf("%d results of %d changes", len(results), len(cs))
			}
		}
	})
}
