package app

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/internal/receiver"
	"github.com/crmsyncd/crmsyncd/sources"
	anyvendor "github.com/crmsyncd/crmsyncd/sources/webhook"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

// buildFrom builds a Setup from settings and rules; "" are the fewest rules there can be.
func buildFrom(t *testing.T, settings, rules string) (*Setup, diag.Problems) {
	t.Helper()
	if rules == "" {
		rules = "version: 1\nrules: []\n"
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"config.yaml": settings, "mapping.yaml": rules} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return BuildOffline(filepath.Join(dir, "config.yaml"), "test")
}

// everySource is a source of each type, and of each preset.
func everySource() string {
	var b strings.Builder
	b.WriteString("privacy: {store_transcripts: false}\nsources:\n  telli: {type: telli, signing_secret: \"${TELLI}\"}\n  respondio: {type: respondio, signing_keys: [\"${R}\"]}\n" +
		"  sipgate: {type: sipgate, token: 0123456789abcdef0123456789abcdef}\n  voipgrid: {type: voipgrid, token: 0123456789abcdef0123456789abcdef}\n")
	for _, p := range anyvendor.Presets() {
		fmt.Fprintf(&b, "  %s: {type: webhook, preset: %s, secret: \"${S}\", token: 0123456789abcdef0123456789abcdef}\n", p, p)
	}
	return b.String()
}

func TestTranscriptsAreNotKept(t *testing.T) {
	t.Parallel()

	t.Run("no source's payload has one left, and all else reads as before", func(t *testing.T) {
		t.Parallel()
		s, problems := buildFrom(t, everySource(), "")
		if s == nil || len(s.Sources) < 4+len(anyvendor.Presets()) {
			t.Fatalf("the settings give too few sources: %v", problems)
		}
		keeps, _ := buildFrom(t, strings.Replace(everySource(), "store_transcripts: false", "store_transcripts: true", 1), "")
		heard := map[string]int{}
		try := func(source, name string, body []byte) {
			header := http.Header{"Content-Type": {"application/json"}}
			if strings.HasSuffix(name, ".form") || strings.HasSuffix(name, ".txt") {
				header.Set("Content-Type", sources.FormType)
			}
			r := &sources.Request{Method: http.MethodPost, Header: header, Body: body, At: sampleAt}
			stored := receiver.Stored(source, s.Type(source), event.Webhook, r, s.Sources[source].Parse(r))
			before, err := keeps.Parse(stored)
			if err != nil || before.Call == nil || before.Call.Transcript == "" {
				return
			}
			heard[source]++
			kept := s.discreet(stored)
			after, err := s.Parse(kept)
			if err != nil {
				t.Errorf("%s %s: %v", source, name, err)
				return
			}
			if after.Call.Transcript != "" {
				t.Errorf("%s %s: the transcript is still there", source, name)
			}
			old, err := s.Parse(stored) // as it was kept before the settings changed
			if err != nil || old.Call.Transcript != "" {
				t.Errorf("%s %s: of an event that was kept before, the transcript is still read (%v)", source, name, err)
				return
			}
			for line := range strings.Lines(before.Call.Transcript) {
				_, said, ok := strings.Cut(strings.TrimSpace(line), ": ")
				if ok && len(said) > 15 && strings.Contains(string(kept.Body), said) {
					t.Errorf("%s %s: the payload still says %q", source, name, said)
				}
				if ok && len(said) > 15 && strings.Contains(string(old.Raw), said) {
					t.Errorf("%s %s: of an event that was kept before, raw still says %q", source, name, said)
				}
			}
			call := *before.Call
			call.Transcript = ""
			b, a := *before, *after
			b.Call, b.Raw, a.Raw = &call, nil, nil
			if !reflect.DeepEqual(a, b) {
				t.Errorf("%s %s: the rest reads differently:\n%+v\n%+v", source, name, b.Call, a.Call)
			}
			sense := stored.Sense
			if sense == nil {
				sense = stored.Body
			}
			if again := s.discreet(kept); string(again.Body) != string(kept.Body) || string(again.Sense) != string(sense) {
				t.Errorf("%s %s: a second time gives something else", source, name)
			}
		}
		for name, src := range s.Sources {
			if m, ok := src.(sources.Sampler); ok {
				for _, kind := range m.Samples() {
					body, err := m.Sample(kind, 17, sampleAt)
					if err != nil {
						t.Fatal(err)
					}
					try(name, kind, body)
				}
			}
			files, _ := filepath.Glob(filepath.Join("..", "..", "sources", name, "testdata", "*"))
			more, _ := filepath.Glob(filepath.Join("..", "..", "sources", "webhook", "testdata", name, "*"))
			for _, f := range append(files, more...) {
				if body, err := os.ReadFile(f); err == nil {
					try(name, filepath.Base(f), body)
				}
			}
		}
		for _, name := range []string{"telli", "respondio", "sipgate", "retell", "vapi", "elevenlabs"} {
			if heard[name] == 0 {
				t.Errorf("no payload of %s has a transcript: the test tests nothing", name)
			}
		}
	})

	t.Run("a retry is the same event, by delivery id and by content, with another payload it is not", func(t *testing.T) {
		t.Parallel()
		s, _ := buildFrom(t, everySource(), "")
		l, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "ledger.db"), Init: true, Log: s.Log})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		d := discreet{l, func() *Setup { return s }}
		e := store.Event{
			Source: "telli", Vendor: "telli", Type: event.CallEnded, Lane: "l", DeliveryID: "m1", ContentKey: "c1", OccurredAt: sampleAt,
			ReceivedAt: sampleAt.Add(time.Second), Body: []byte(`{"transcript":"the roof leaks"}`),
		}
		first, err := d.Append(t.Context(), e)
		if err != nil || first.Duplicate {
			t.Fatalf("%+v, %v", first, err)
		}
		if again, err := d.Append(t.Context(), e); err != nil || !again.Duplicate || again.Seq != first.Seq {
			t.Errorf("the retry: %+v, %v", again, err)
		}
		e.Body = []byte(`{"transcript":"the roof is fine"}`)
		if other, err := d.Append(t.Context(), e); err != nil || !other.Conflict {
			t.Errorf("another payload under the same id: %+v, %v", other, err)
		}
		v, err := l.Event(t.Context(), first.Seq)
		if err != nil || string(v.Event.Body) != `{"transcript":null}` {
			t.Errorf("kept is %s, %v", v.Event.Body, err)
		}
	})

	t.Run("a rule that uses it is warned of, at its line", func(t *testing.T) {
		t.Parallel()
		const rules = `version: 1
rules:
  - name: Log calls
    on: call.ended
    to: hubspot
    records:
      - object: calls
        match: telli_call_id
        fields:
          telli_call_id: =call.id
          hs_call_body: "{{ call.summary }} {{ call.transcript }}"
`
		settings := "sources:\n  telli: {type: telli, signing_secret: \"${T}\"}\nconnectors:\n  hubspot: {type: hubspot, access_token: \"${H}\"}\n"
		warnings := func(settings string) (out []string) {
			_, problems := buildFrom(t, settings, rules)
			for _, p := range problems {
				if strings.Contains(p.Message, "call.transcript") {
					out = append(out, fmt.Sprint(p.Severity == diag.Warning, " ", p.Pos.Line))
				}
			}
			return out
		}
		if got := warnings(settings + "privacy: {store_transcripts: false}\n"); len(got) != 1 || got[0] != "true 11" {
			t.Errorf("want one warning at line 11, got %q", got)
		}
		if got := warnings(settings); len(got) != 0 {
			t.Errorf("want none where they are kept, got %q", got)
		}
	})
}

func TestKeysOfTheLedger(t *testing.T) {
	t.Parallel()
	const good = "j4cV0nTq2mJ3yX8bQm5sK9wPzR1uE6aL7hGdF4tVoNI="
	for _, c := range []struct {
		name, keys, problem string
		keysRead            int
		missing             bool
	}{
		{name: "none", keys: "[]"},
		{name: "one", keys: good, keysRead: 1},
		{name: "turned off", keys: "[none, " + good + "]", keysRead: 2},
		{name: "off in the wrong place", keys: "[" + good + ", none]", problem: "only in the first place"},
		{name: "words", keys: "correct-horse-battery-staple", problem: "openssl rand"},
		{name: "one that this user may not read", keys: "[\"${credential:ledger}\"]", missing: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, problems := buildFrom(t, "privacy:\n  encryption_keys: "+c.keys+"\n", "")
			var told string
			for _, p := range problems {
				if p.Pos.Line == 2 && p.Severity == diag.Error {
					told += p.Message
					if strings.Contains(p.Error()+p.Line, good) || strings.Contains(p.Error()+p.Line, "horse") {
						t.Errorf("the problem shows the key: %v", p)
					}
				}
			}
			if (told != "") != (c.problem != "") || !strings.Contains(told, c.problem) {
				t.Errorf("want a problem with %q, got %q", c.problem, told)
			}
			keys, err := s.Keys()
			if (err != nil) != c.missing || c.problem == "" && len(keys) != c.keysRead {
				t.Errorf("want %d keys, got %d, %v", c.keysRead, len(keys), err)
			}
		})
	}
}
