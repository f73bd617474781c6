package cases_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/internal/cases"
)

func TestTheTimeOfACaseWhereADayHasNoMidnight(t *testing.T) {
	t.Parallel()
	opt := names
	var err error
	if opt.Zone, err = time.LoadLocation("America/Santiago"); err != nil {
		t.Fatal(err)
	}
	f, problems := cases.Read("mapping_test.yaml", []byte("cases:\n  - {name: x, source: telli, sample: z, at: 2026-09-06T00:30}\n"), opt)
	if problems.Err() != nil {
		t.Fatal(problems.Error())
	}
	if got := f.Cases[0].At.In(opt.Zone); got.Day() != 6 {
		t.Errorf("got %s", got)
	}
}

var update = flag.Bool("update", false, "write the golden files anew")

var names = cases.Options{Sources: []string{"telli", "phones"}, Connectors: []string{"hubspot", "airtable"}}

// TestProblems holds what is said of broken files to golden files.
func TestProblems(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/problems/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, problems := cases.Read(filepath.Base(file), text, names)
			var got bytes.Buffer
			problems.Render(&got)
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got.String()); d != "" {
				t.Errorf("(-want +got; run with -update if it is right)\n%s", d)
			}
		})
	}
}

func TestPayloadsAreTakenAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ payload, body, file string }{
		{"{a: 1, b: 0123, c: \"1\", d: null, e: [true, x, 1.50, -2e3], f: {}}", `{"a":1,"b":"0123","c":"1","d":null,"e":[true,"x",1.50,-2e3],"f":{}}`, ""},
		{"event=hangup&cause=x", "event=hangup&cause=x", ""},
		{"|\n      {\"a\": 1}\n", `{"a": 1}`, ""},
		{`'{"a": 1}'`, `{"a": 1}`, ""},
		{"payloads/missed call.json", "", "payloads/missed call.json"},
		{"{plus: +4930, infinity: .inf, date: 2026-03-04, quote: 'say \"x\" <ü>'}", `{"plus":"+4930","infinity":".inf","date":"2026-03-04","quote":"say \"x\" \u003cü\u003e"}`, ""},
	} {
		f, problems := cases.Read("t.yaml", []byte("cases:\n  - name: x\n    source: telli\n    payload: "+c.payload+"\n"), names)
		if len(problems) > 0 {
			t.Errorf("%s: %v", c.payload, problems)
			continue
		}
		if p := f.Cases[0].Payload; string(p.Body) != c.body || p.File != c.file {
			t.Errorf("%s: got body %s and file %q, want %s and %q", c.payload, p.Body, p.File, c.body, c.file)
		}
	}
}

func TestTheOnlySourceNeedNotBeNamed(t *testing.T) {
	t.Parallel()
	f, problems := cases.Read("t.yaml", []byte("cases:\n  - {name: x, sample: y}\n"), cases.Options{Sources: []string{"phones"}})
	if len(problems) > 0 || f.Cases[0].Source != "phones" {
		t.Errorf("got %+v, %v", f.Cases[0], problems)
	}
}
