package mapping

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

var update = flag.Bool("update", false, "write the golden files anew")

// finished is a finished call as the tests and the functions' examples see it.
func finished() *event.Event {
	duration := event.Seconds(120)
	at := time.Date(2026, 3, 4, 9, 30, 0, 0, time.UTC)
	return &event.Event{
		ID: "ev1", Type: event.CallEnded, Source: "telli", Vendor: "telli", OccurredAt: at.Add(2 * time.Minute), ReceivedAt: at.Add(3 * time.Minute), Origin: event.Webhook,
		Call: &event.Call{
			ID: "c1", Status: event.Completed, Direction: "outbound", From: "+493023125900", To: "+493023125017",
			StartedAt: at, EndedAt: at.Add(2 * time.Minute), Duration: &duration, Attempt: 1,
			Summary: "Wants a <roof> & storage.", RecordingURL: "https://recordings.example.com/c1.mp3",
			Topics: []string{"solar", "storage"}, Outcome: map[string]any{"roof_area_sqm": 80.5, "owner_occupied": true, "size": "12"},
			Answers: map[string]any{"How many?": json.Number("3")}, Agent: &event.Person{Name: "Ada", Email: "ada@example.com"},
		},
		Contact: &event.Contact{ID: "k1", FirstName: "Erika", LastName: "Mustermann", FullName: "Erika Mustermann", Email: "erika@example.com", Phone: "+493023125017", Status: "reached", Tags: []string{"vip"}},
		Raw:     json.RawMessage(`{"event":"call_ended","n":9007199254740993,"call":{"items":[{"a":1},{"a":"2"}],"empty":""}}`),
	}
}

var design = Options{
	Sources:    []string{"telli", "phones"},
	Connectors: map[string]string{"hubspot": "hubspot", "airtable": "airtable", "zap": "webhook"},
	Country:    "DE",
}

// read reads one file that must be without errors.
func read(t testing.TB, text string, opt Options) *Rules {
	t.Helper()
	r, ps := Read([]File{{"mapping.yaml", []byte(text)}}, opt)
	if ps.Has(diag.Error) {
		t.Fatalf("problems:\n%s", ps.Error())
	}
	return r
}

// fields gives the planned record's fields by name.
func fields(r Record) map[string]any {
	m := map[string]any{}
	for _, f := range r.Fields {
		m[f.Name] = f.Value
	}
	return m
}

func TestPlanOfTheDesignsExample(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/design.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r := read(t, string(text), design)
	ev := finished()
	if got := r.Connectors(ev); !cmp.Equal(got, []string{"hubspot"}) {
		t.Fatalf("connectors: got %v, want hubspot", got)
	}
	p, err := r.Plan(ev, "hubspot")
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Records) != 2 {
		t.Fatalf("records: got %d, want 2", len(p.Records))
	}
	contact, call := p.Records[0], p.Records[1]
	wantContact := map[string]any{
		"telli_contact_id": "k1", "email": "erika@example.com", "phone": "+493023125017", "firstname": "Erika", "lastname": "Mustermann",
		"telli_status": "reached", "hubspot_owner_id": 4711,
	}
	if diff := cmp.Diff(wantContact, fields(contact)); diff != "" {
		t.Errorf("contact (-want +got):\n%s", diff)
	}
	wantCall := map[string]any{
		"telli_call_id": "c1", "hs_timestamp": ev.Call.StartedAt, "hs_call_direction": "OUTBOUND", "hs_call_duration": event.Seconds(120),
		"hs_call_disposition": "f240bbac", "hs_call_title": "Call with Erika Mustermann",
		"hs_call_body": "Wants a <roof> & storage.\nRecording: https://recordings.example.com/c1.mp3",
	}
	if diff := cmp.Diff(wantCall, fields(call)); diff != "" {
		t.Errorf("call (-want +got):\n%s", diff)
	}
	wantKeys := []connectors.Key{{{Field: "telli_contact_id", Value: "k1"}}, {{Field: "email", Value: "erika@example.com"}}, {{Field: "phone", Value: "+493023125017"}}}
	if diff := cmp.Diff(wantKeys, contact.Keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Link{{To: 0}}, call.Links); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	if contact.Step != "Log finished calls/contacts" || call.Step != "Log finished calls/calls" {
		t.Errorf("steps: got %q and %q", contact.Step, call.Step)
	}
	if got := contact.Fields[6]; got.If != IfEmpty || got.Pos.String() != "mapping.yaml:26:11" {
		t.Errorf("owner: got %v at %v", got.If, got.Pos)
	}
	if got := contact.Pos.String(); got != "mapping.yaml:17:9" {
		t.Errorf("position of the record: got %s", got)
	}
}

func TestProblemsAreAllShownAtTheirPlace(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/problems/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			_, ps := Read([]File{{"mapping.yaml", text}}, design)
			var b bytes.Buffer
			ps.Render(&b)
			golden := strings.TrimSuffix(name, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if ps.Err() == nil && !strings.Contains(name, "warning") {
				t.Error("the file passes")
			}
		})
	}
}

func TestEveryFunctionsExampleGivesItsResult(t *testing.T) {
	t.Parallel()
	s := &scope{tables: map[string]*table{"disposition": {values: map[string]any{"completed": "f240bbac"}, kinds: kText}}, zone: time.UTC, zoned: true}
	for _, f := range Functions() {
		if f.Doc == "" || !strings.HasPrefix(f.Signature, f.Name+"(") || !strings.Contains(f.Example, f.Name+"(") {
			t.Errorf("%s: wants a doc, a signature and an example of itself", f.Name)
		}
		v, ps := evaluate(t, s, f.Example, finished())
		if len(ps) > 0 {
			t.Errorf("%s: %s: %s", f.Name, f.Example, ps.Error())
			continue
		}
		if got := toText(v, time.UTC); got != f.Result {
			t.Errorf("%s: %s gives %q, want %q", f.Name, f.Example, got, f.Result)
		}
	}
}

// evaluate compiles a formula and runs it.
func evaluate(t testing.TB, s *scope, source string, ev *event.Event) (any, diag.Problems) {
	t.Helper()
	root, ps := diag.ReadYAML("mapping.yaml", []byte("f: '="+strings.ReplaceAll(source, "'", "''")+"'"))
	if len(ps) > 0 {
		t.Fatalf("%s: %s", source, ps.Error())
	}
	f, ps := s.formula(root.Get("f"), kAny|kObject)
	if len(ps) > 0 {
		return nil, ps
	}
	v, fault := f.eval(newEnv(ev, s.zone, s.country))
	if fault != nil {
		t.Fatalf("%s: %s", source, fault.message)
	}
	return v, nil
}

// TestNoFileTakesASecondToRead tries the worst that fits into a file.
func TestNoFileTakesASecondToRead(t *testing.T) {
	if raced {
		t.Skip("times mean nothing with the race detector")
	}
	head := "version: 1\nrules:\n  - on: call.ended\n    to: hubspot\n    records:\n      - object: o\n        match: a\n        fields:\n"
	rule := "  - {name: r%d, on: call.ended, to: hubspot, records: [{object: o, match: id, fields: {id: =call.id, a: '=contact.email + \"%[1]d\"'}}]}\n"
	texts := map[string]string{
		"options in one line":        strings.TrimSuffix(head, "\n") + " {a: =call.id" + lines(30_000, ", f%d: {value: =call.id}") + ", z: =call.idd}\n",
		"many wrong fields":          head + strings.Repeat("          x: =contact.frist_name\n", 20_000),
		"many different fields":      head + lines(20_000, "          f%d: =contact.frist_name\n"),
		"many unknown keys":          lines(50_000, "vesion%d: 1\n"),
		"a text with many formulas":  head + "          a: \"" + strings.Repeat("{{x}}", 200_000) + "\"\n",
		"a text with many open {{":   head + "          a: \"" + strings.Repeat("{{ ' ", 10_000) + "\"\n",
		"a formula of many brackets": head + "          a: =" + strings.Repeat("(", 1_000_000) + "\n",
		"a formula of many parts":    head + "          a: =" + strings.Repeat("1+", 3_000) + "1\n",
		"a formula of many nots":     head + "          a: =" + strings.Repeat("!", 8_000) + "true\n",
		"many formulas":              head + lines(20_000, "          f%d: =contact.email + \"x\"\n"),
		"many rules for one record":  "version: 1\nrules:\n" + lines(6_000, rule) + "  - x\n",
		"a large table":              "version: 1\ntables:\n  t:\n" + lines(60_000, "    k%d: v\n") + "x: y\n",
		"many tables":                "version: 1\ntables:\n" + lines(60_000, "  t%d: {}\n") + "x: y\n",
		"many broken lines":          strings.Repeat("a: b: c\n", 120_000),
		"a long list":                "rules: [" + strings.Repeat("a,", 500_000) + "]",
		"many empty rules":           "rules:\n" + strings.Repeat(" -\n", 300_000),
		"many tabs":                  strings.Repeat("\ta: b\n", 150_000),
		"deep brackets":              strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000),
		"deep braces":                strings.Repeat("{a: ", 200_000),
		"deep blocks":                deep(1_400),
		"a long word":                "version: " + strings.Repeat("x", 1_000_000),
		"a long text in quotes":      "version: \"" + strings.Repeat("x\\n", 300_000) + "\"",
		"a block of many lines":      "version: |\n" + strings.Repeat("  x\n", 250_000),
		"a folded text":              "version: a\n" + strings.Repeat("  x\n", 250_000),
		"many dashes":                strings.Repeat("- ", 100_000),
		"lines of dashes":            strings.Repeat("- - - -\n", 120_000),
		"many documents":             strings.Repeat("---\n", 250_000),
		"zeros":                      strings.Repeat("\x00", 1_000_000),
		"many anchors":               lines(80_000, "- &a%d x\n"),
		"aliases of aliases":         "a0: &a0 [x,x]\n" + lines(5_000, "a%d: &b%[1]d [*a0,*a0,*a0,*a0]\n"),
		"an open quote":              "a: \"" + strings.Repeat("x\n", 500_000),
		"ten megabytes":              strings.Repeat("a: b\n", 2_000_000),
		"two formulas in braces":     strings.Repeat("a: {{ x }} {{ y }}\n", 50_000),
	}
	for name, text := range texts {
		began := computed(t)
		_, ps := Read([]File{{"mapping.yaml", []byte(text)}}, design)
		ps.Render(io.Discard)
		if took := computed(t) - began; took >= 3*time.Second { // 0.3 s at most, where it was written
			t.Errorf("%s: took %v", name, took)
		}
		if ps.Err() == nil || len(ps) > diag.MaxProblems+1 {
			t.Errorf("%s: got %d problems", name, len(ps))
		}
	}
}

// computed is the time that this process has computed so far: other programs
// on the machine do not count.
func computed(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func deep(levels int) string {
	var b strings.Builder
	for i := range levels {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func lines(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}
