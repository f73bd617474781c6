// Package sourcetest is the suite that every source passes: what the contract
// in package sources promises, tried with the source's own sample payloads. It
// tests no vendor's fields; the goldens beside the samples do.
package sourcetest

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/sources"
)

var update = flag.Bool("update", false, "write what the sources make of their samples into the goldens")

// Fixture is a source under test.
type Fixture struct {
	// Source must also be a sources.Signer.
	Source sources.Source
	// Samples is a folder of payloads, *.json or *.form; what each says is
	// kept in its subfolder golden, under the same name with .json.
	Samples string
	// At is when the samples are taken to have come.
	At time.Time
	// ContentType is that of the samples; "" for application/json.
	ContentType string
	// ChangedBody says that the authentication covers the body, so that a
	// changed byte must be refused.
	ChangedBody bool
}

// Run runs the suite.
func Run(t *testing.T, f Fixture) {
	t.Helper()
	if f.ContentType == "" {
		f.ContentType = "application/json"
	}
	signer, ok := f.Source.(sources.Signer)
	if !ok {
		t.Fatal("the source does not implement sources.Signer")
	}
	s := suite{Fixture: f, signer: signer, samples: map[string][]byte{}}
	files, err := filepath.Glob(filepath.Join(f.Samples, "*.*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples in %s (%v)", f.Samples, err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s.samples[filepath.Base(file)] = body
	}
	for _, c := range []struct {
		name string
		test func(*testing.T, string, []byte)
	}{
		{"the sample says what its golden says", s.golden},
		{"what the source signs is accepted", s.signed},
		{"a request without proof is refused", s.unsigned},
		{"a changed byte is refused", s.changed},
		{"parsing twice gives the same", s.twice},
		{"fields that nobody knows change nothing", s.unknownFields},
		{"a damaged payload is kept with a problem and never panics", s.damaged},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for name, body := range s.samples {
				c.test(t, name, body)
			}
		})
	}
}

type suite struct {
	Fixture
	signer  sources.Signer
	samples map[string][]byte
}

const messageID = "msg_sourcetest_1"

func (s suite) request(t *testing.T, body []byte) *sources.Request {
	t.Helper()
	r := &sources.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {s.ContentType}}, Body: body, At: s.At}
	token, err := s.signer.Sign(r.Header, body, messageID, s.At)
	if err != nil {
		t.Fatalf("Sign: %v", err)
	}
	r.Token = token
	return r
}

func (s suite) golden(t *testing.T, name string, body []byte) {
	p := s.Source.Parse(s.request(t, body))
	text, err := json.MarshalIndent(struct {
		ContentKey string `json:"content_key"`
		Problem    string `json:"problem,omitempty"`
		Event      any    `json:"event"`
	}{p.ContentKey, p.Problem, p.Event}, "", "  ")
	if err != nil {
		t.Errorf("%s: the event cannot be written as JSON: %v", name, err)
		return
	}
	text = append(text, '\n')
	file := filepath.Join(s.Samples, "golden", strings.TrimSuffix(name, filepath.Ext(name))+".json")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Errorf("%s: %v (run with -update to make it)", name, err)
		return
	}
	if d := cmp.Diff(string(want), string(text)); d != "" {
		t.Errorf("%s: (-want +got)\n%s", name, d)
	}
}

func (s suite) signed(t *testing.T, name string, body []byte) {
	if err := s.Source.Authenticate(s.request(t, body)); err != nil {
		t.Errorf("%s: refused: %v", name, err)
	}
}

func (s suite) unsigned(t *testing.T, name string, body []byte) {
	r := &sources.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {s.ContentType}}, Body: body, At: s.At}
	s.refused(t, name, r)
}

func (s suite) changed(t *testing.T, name string, body []byte) {
	if !s.ChangedBody {
		return
	}
	for _, at := range []int{0, len(body) / 2, len(body) - 1} {
		r := s.request(t, body)
		r.Body = bytes.Clone(body)
		r.Body[at] ^= 1
		s.refused(t, name, r)
	}
	r := s.request(t, body)
	r.Body = append(bytes.Clone(body), ' ')
	s.refused(t, name, r)
}

func (s suite) refused(t *testing.T, name string, r *sources.Request) {
	t.Helper()
	err := s.Source.Authenticate(r)
	refusal, ok := err.(*sources.Refusal)
	if !ok {
		t.Errorf("%s: got %v, want a *sources.Refusal", name, err)
		return
	}
	if refusal.Status != http.StatusUnauthorized && refusal.Status != http.StatusForbidden {
		t.Errorf("%s: refused with status %d, want 401 or 403", name, refusal.Status)
	}
	if refusal.Reason == "" || len(refusal.Reason) > 40 {
		t.Errorf("%s: the reason %q is not of a short fixed set", name, refusal.Reason)
	}
}

func (s suite) twice(t *testing.T, name string, body []byte) {
	first := s.Source.Parse(s.request(t, body))
	second := s.Source.Parse(s.request(t, bytes.Clone(body)))
	if d := cmp.Diff(first, second); d != "" {
		t.Errorf("%s: (-first +second)\n%s", name, d)
	}
	// Delivery reads the event again from the ledger, without its headers.
	again := s.Source.Parse(&sources.Request{Header: http.Header{"Content-Type": {s.ContentType}}, Body: body, At: s.At})
	if again.DeliveryID = first.DeliveryID; cmp.Diff(first, again) != "" {
		t.Errorf("%s: without the proof's headers it says something else", name)
	}
}

// unknownFields adds odd members at the top and one level below. Deeper down
// are objects whose names the customer chooses, where nothing is unknown.
func (s suite) unknownFields(t *testing.T, name string, body []byte) {
	var doc map[string]any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if dec.Decode(&doc) != nil {
		return
	}
	want := s.Source.Parse(s.request(t, body))
	odd := map[string]any{
		"zz_new_text": "x", "zz_new_list": []any{1, "two", nil}, "zz_new_object": map[string]any{"id": "other", "deep": map[string]any{"status": "closed"}}, "zz_new_null": nil,
	}
	maps.Copy(doc, odd)
	for _, v := range doc {
		if m, ok := v.(map[string]any); ok && m["id"] != "other" {
			maps.Copy(m, odd)
		}
	}
	more, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, s.Source.Parse(s.request(t, more))); d != "" {
		t.Errorf("%s: (-without +with)\n%s", name, d)
	}
}

func (s suite) damaged(t *testing.T, name string, body []byte) {
	for cut := 0; cut < len(bytes.TrimSpace(body))-1; cut += 1 + len(body)/50 {
		p := s.Source.Parse(s.request(t, body[:cut]))
		if p.Event == nil {
			t.Fatalf("%s: cut at %d: Event is nil", name, cut)
		}
		if p.Problem == "" && strings.HasSuffix(name, ".json") {
			t.Errorf("%s: cut at %d: no problem is reported", name, cut)
		}
		if p.ContentKey != "" && p.Problem != "" {
			t.Errorf("%s: cut at %d: what is not understood has a content key; the mended message would be taken for a duplicate", name, cut)
		}
	}
	for i := 0; i < len(body); i += 1 + len(body)/200 {
		odd := bytes.Clone(body)
		odd[i] = "\x00\xff{\"9"[i%5]
		if s.Source.Parse(s.request(t, odd)).Event == nil {
			t.Fatalf("%s: byte %d changed: Event is nil", name, i)
		}
	}
}
