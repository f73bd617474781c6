package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/mapping"
)

// screen is what a command has written so far.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.b.String(), text)
}

func TestExplainWatchesTheFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rule := "version: 1\nrules:\n  - name: r\n    on: call.ended\n    to: hubspot\n    records: [{object: contacts, match: email, fields: {email: =contact.email, firstname: FORMULA}}]\n"
	write("config.yaml", "sources: {telli: {type: telli, signing_secret: \"${NOT_SET}\"}}\nconnectors: {hubspot: {type: hubspot, access_token: \"${NOT_SET}\"}}\n")
	write("mapping.yaml", strings.Replace(rule, "FORMULA", "first", 1))
	write("payload.json", `{"event":"call_ended","call":{"call_id":"c1","call_status":"COMPLETED"},"contact":{"contact_id":"p1","email":"a@example.com"}}`)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out screen
	root := newRoot()
	root.SetArgs([]string{"explain", "--watch", "--config", filepath.Join(dir, "config.yaml"), filepath.Join(dir, "payload.json")})
	root.SetOut(&out)
	root.SetErr(&out)
	done := make(chan error, 1)
	go func() { done <- root.ExecuteContext(ctx) }()
	shows := func(text string) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !out.has(text); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%q was never shown; got\n%s", text, out.b.String())
			}
		}
	}
	shows(`"first"`)
	write("mapping.yaml", strings.Replace(rule, "FORMULA", "=contact.fist_name", 1))
	shows("did you mean contact.first_name?")
	write("mapping.yaml", strings.Replace(rule, "FORMULA", "the second", 1))
	shows(`"the second"`)
	write("payload.json", `{"event":"call_ended","call":{"call_id":"c1","call_status":"COMPLETED"},"contact":{"contact_id":"p1","email":"other@example.com"}}`)
	shows(`"other@example.com"`)
	stop()
	if err := <-done; err != nil {
		t.Errorf("stopped with %v", err)
	}
}

func TestColoursChangeNothingElse(t *testing.T) {
	t.Parallel()
	rules := []mapping.Explanation{
		{Rule: "no", Pos: "m:1:1", Why: "on: the event is call.ended"},
		{Rule: "yes", Pos: "m:2:1", Connector: "crm", Matched: true, Error: "too long", Records: []mapping.ExplainedRecord{{Object: "o", Fields: []mapping.ExplainedField{
			{Name: "a", Source: "=call.id", Value: "c1", Written: true, CRM: &mapping.InCRM{Error: "is text"}},
			{Name: "longer", Source: "=call.summary"},
		}}}},
	}
	var bare, coloured bytes.Buffer
	ev := &event.Event{Type: event.CallEnded, Source: "telli"}
	_ = printExplanation(&bare, colours(&bare), ev, nil, rules)
	_ = printExplanation(&coloured, painted, ev, nil, rules)
	if strings.Contains(bare.String(), "\x1b") {
		t.Error("colours where there is no terminal")
	}
	if !strings.Contains(coloured.String(), green) || !strings.Contains(coloured.String(), red) || !strings.Contains(coloured.String(), faint) {
		t.Errorf("lacks colours: %q", coloured.String())
	}
	if got := strings.NewReplacer(green, "", red, "", faint, "", reset, "").Replace(coloured.String()); got != bare.String() {
		t.Errorf("without its colours it is\n%s\nwant\n%s", got, bare.String())
	}
}
