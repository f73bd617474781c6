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
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/sources"
)

var update = flag.Bool("update", false, "write what the sources make of their samples into the goldens")

// Fixture is a source under test.
type Fixture struct {
	// Source is a sources.Signer unless its vendor signs nothing: then Guard
	// is what the requests are proven by.
	Source sources.Source
	Guard  *sources.Guard
	// Samples is a folder of payloads, *.json or *.form; what each says is
	// kept in its subfolder golden, under the same name with .json.
	Samples string
	// At is when the samples are taken to have come.
	At time.Time
	// ContentType is that of the samples; "" for application/json, and for
	// application/x-www-form-urlencoded where they are called *.form.
	ContentType string
	// ChangedBody says that the authentication covers the body, so that a
	// changed byte must be refused.
	ChangedBody bool
	// Fresh says that the authentication covers the time, so that an old
	// request, or one from the future, must be refused.
	Fresh bool
	// EmptyBody says that the vendor tries an address with an empty body, which
	// is then no broken payload.
	EmptyBody bool
}

// Run runs the suite.
func Run(t *testing.T, f Fixture) {
	t.Helper()
	s := suite{Fixture: f, samples: map[string][]byte{}}
	s.signer, _ = f.Source.(sources.Signer)
	if s.signer == nil && f.Guard == nil {
		t.Fatal("the source does not implement sources.Signer, and there is no Guard")
	}
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
		{"what it says is in the vendor's vocabulary", s.worded},
		{"a request without proof is refused", s.unsigned},
		{"a changed byte is refused", s.changed},
		{"an old request and one from the future are refused", s.skewed},
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

func (s suite) contentType(name string) string {
	switch {
	case s.ContentType != "":
		return s.ContentType
	case strings.HasSuffix(name, ".form"):
		return "application/x-www-form-urlencoded"
	}
	return "application/json"
}

// bare is a request that proves nothing.
func (s suite) bare(name string, body []byte) *sources.Request {
	return &sources.Request{
		Method: http.MethodPost, URL: &url.URL{Scheme: "https", Host: "hooks.example.com", Path: "/hooks/sourcetest"},
		Header: http.Header{"Content-Type": {s.contentType(name)}}, Body: body, At: s.At,
	}
}

func (s suite) request(t *testing.T, name string, body []byte) *sources.Request {
	t.Helper()
	r := s.bare(name, body)
	if s.Guard != nil {
		if r.Token = s.Guard.Admit(); r.Token != "" {
			r.URL.Path += "/" + r.Token
		}
	}
	if s.signer != nil {
		if err := s.signer.Sign(r, messageID, s.At); err != nil {
			t.Fatalf("Sign: %v", err)
		}
	}
	return r
}

func (s suite) authenticate(r *sources.Request) error {
	if s.Guard != nil {
		if err := s.Guard.Check(r); err != nil {
			return err
		}
	}
	return s.Source.Authenticate(r)
}

func (s suite) golden(t *testing.T, name string, body []byte) {
	p := s.Source.Parse(s.request(t, name, body))
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

func (s suite) worded(t *testing.T, name string, body []byte) {
	w, ok := s.Source.(sources.Worded)
	if !ok {
		return
	}
	v, ev := w.Vocabulary(), s.Source.Parse(s.request(t, name, body)).Event
	if v.Types != nil && !slices.Contains(v.Types, ev.Type) {
		t.Errorf("%s: %s is not among the vendor's events", name, ev.Type)
	}
	values := ev.Values()
	for path, words := range v.Words {
		object, leaf, _ := strings.Cut(path, ".")
		part, _ := values[object].(map[string]any)
		if word, ok := part[leaf].(string); ok && !slices.Contains(words, word) {
			t.Errorf("%s: %s is %q, which is not among the vendor's words", name, path, word)
		}
	}
}

func (s suite) signed(t *testing.T, name string, body []byte) {
	if err := s.authenticate(s.request(t, name, body)); err != nil {
		t.Errorf("%s: refused: %v", name, err)
	}
}

func (s suite) unsigned(t *testing.T, name string, body []byte) {
	s.refused(t, name, s.bare(name, body))
}

func (s suite) changed(t *testing.T, name string, body []byte) {
	if !s.ChangedBody {
		return
	}
	for _, at := range []int{0, len(body) / 2, len(body) - 1} {
		r := s.request(t, name, body)
		r.Body = bytes.Clone(body)
		r.Body[at] ^= 1
		s.refused(t, name, r)
	}
	r := s.request(t, name, body)
	r.Body = append(bytes.Clone(body), ' ')
	s.refused(t, name, r)
}

func (s suite) skewed(t *testing.T, name string, body []byte) {
	if !s.Fresh {
		return
	}
	for _, skew := range []time.Duration{-sources.Tolerance - time.Second, sources.Tolerance + time.Second} {
		r := s.request(t, name, body)
		r.At = r.At.Add(skew)
		s.refused(t, name, r)
	}
	r := s.request(t, name, body)
	r.At = r.At.Add(sources.Tolerance - time.Second)
	if err := s.authenticate(r); err != nil {
		t.Errorf("%s: refused within the tolerance: %v", name, err)
	}
}

func (s suite) refused(t *testing.T, name string, r *sources.Request) {
	t.Helper()
	err := s.authenticate(r)
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
	request := s.request(t, name, body)
	first := s.Source.Parse(request)
	second := s.Source.Parse(s.request(t, name, bytes.Clone(body)))
	if d := cmp.Diff(first, second); d != "" {
		t.Errorf("%s: (-first +second)\n%s", name, d)
	}
	// Delivery reads the event again from the ledger, without its headers.
	again := s.Source.Parse(&sources.Request{Header: http.Header{"Content-Type": request.Header["Content-Type"]}, Body: request.Body, At: s.At})
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
	want := s.Source.Parse(s.request(t, name, body))
	if strings.HasSuffix(name, ".form") {
		got := s.Source.Parse(s.request(t, name, append(bytes.Clone(body), "&zz_new=x&zz_list%5B%5D=1&zz_list%5B%5D=2"...)))
		if got.Sense != nil { // of which its id is made
			got.DeliveryID = want.DeliveryID
		}
		want.Event.Raw, got.Event.Raw, want.Sense, got.Sense = nil, nil, nil, nil
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: (-without +with)\n%s", name, d)
		}
		return
	}
	if dec.Decode(&doc) != nil || doc == nil {
		return
	}
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
	got := s.Source.Parse(s.request(t, name, more))
	want.Event.Raw, got.Event.Raw, want.Sense, got.Sense = nil, nil, nil, nil // of a body that is signed itself, its JSON
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: (-without +with)\n%s", name, d)
	}
}

func (s suite) damaged(t *testing.T, name string, body []byte) {
	for cut := 0; cut < len(bytes.TrimSpace(body))-1; cut += 1 + len(body)/50 {
		p := s.Source.Parse(s.request(t, name, body[:cut]))
		if p.Event == nil {
			t.Fatalf("%s: cut at %d: Event is nil", name, cut)
		}
		if p.Problem == "" && strings.HasSuffix(name, ".json") && !(s.EmptyBody && cut == 0) {
			t.Errorf("%s: cut at %d: no problem is reported", name, cut)
		}
		if p.ContentKey != "" && p.Problem != "" {
			t.Errorf("%s: cut at %d: what is not understood has a content key; the mended message would be taken for a duplicate", name, cut)
		}
	}
	for i := 0; i < len(body); i += 1 + len(body)/200 {
		odd := bytes.Clone(body)
		odd[i] = "\x00\xff{\"9"[i%5]
		if s.Source.Parse(s.request(t, name, odd)).Event == nil {
			t.Fatalf("%s: byte %d changed: Event is nil", name, i)
		}
	}
}
