package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

// sampleSources are the sources that the samples are posted to, by vendor.
const sampleSources = `
  telli: {type: telli, signing_secret: "` + testSecret + `"}
  voipgrid: {type: voipgrid, token: a-token-of-thirty-two-characters}
  sipgate: {type: sipgate, token: a-token-of-thirty-two-characters}
  respondio: {type: respondio, signing_keys: [respondio-example-signing-key-01]}
`

// TestSamples posts every vendor's samples to a daemon of its own and holds
// what `events list` then shows against a table.
func TestSamples(t *testing.T) {
	t.Parallel()
	var files []string
	for _, vendor := range []string{"telli", "voipgrid", "sipgate", "respondio"} {
		for _, pattern := range []string{"*.json", "*.form", "sequences/*.json"} {
			found, err := filepath.Glob(filepath.Join("..", "..", "sources", vendor, "testdata", pattern))
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, found...)
		}
	}
	lines := make([]string, len(files))
	t.Run("post", func(t *testing.T) {
		for i, file := range files {
			vendor := strings.Split(filepath.ToSlash(file), "/")[3]
			t.Run(vendor+" "+filepath.Base(file), func(t *testing.T) {
				t.Parallel()
				body, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				bodies := [][]byte{body}
				if filepath.Base(filepath.Dir(file)) == "sequences" {
					var all []json.RawMessage
					if err := json.Unmarshal(body, &all); err != nil {
						t.Fatal(err)
					}
					bodies = nil
					for _, b := range all {
						bodies = append(bodies, b)
					}
				}
				lines[i] = fmt.Sprintf("%s/%s\n%s", vendor, filepath.Base(file), listed(t, vendor, file, bodies))
			})
		}
	})
	got := strings.Join(lines, "")
	golden := filepath.Join("testdata", "samples.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("(-want +got; run with -update if it is right)\n%s", d)
	}
}

// listed posts bodies to a new daemon and says what it lists of them, oldest first.
func listed(t *testing.T, vendor, file string, bodies [][]byte) string {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.yaml")
	settings := "listen: 127.0.0.1:0\nadmin: unix:./a.sock\ndata_dir: .\ndefaults: {country: DE}\n" + slowDisk + "sources:" + sampleSources
	for name, text := range map[string]string{"config.yaml": settings, "mapping.yaml": "version: 1\nrules: []\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	quiet := func(config.Log) *slog.Logger { return slog.New(slog.DiscardHandler) }
	setup, problems := app.Build(path, "test", quiet)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	daemon, err := app.New(setup, path, "test", quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- daemon.Run(ctx) }()
	defer func() {
		stop()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	}()
	kind := "application/json"
	if strings.HasSuffix(file, ".form") {
		kind = "application/x-www-form-urlencoded"
	}
	for i, body := range bodies {
		r := &sources.Request{Header: http.Header{"Content-Type": {kind}}, Body: body}
		if signer, ok := setup.Sources[vendor].(sources.Signer); ok {
			if err := signer.Sign(r, fmt.Sprint("msg_", i), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		address := daemon.URL() + "/hooks/" + vendor
		if token := setup.Guards[vendor].Admit(); token != "" {
			address += "/" + token
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(r.Body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = r.Header
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("posting was answered %d %s", resp.StatusCode, answer)
		}
	}
	client := admin.NewClient(daemon.Admin())
	err = poll(func() error {
		s, err := client.Status(ctx)
		if err == nil && s.Unplanned > 0 {
			err = fmt.Errorf("%d events are not planned", s.Unplanned)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	events, err := client.Events(ctx, store.EventFilter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	// What crmsyncd adds itself may come before or after the vendor's next.
	for i := range events {
		if c := events[i].Call; c != nil && c.Status == event.Merged {
			events[i].OccurredAt = c.EndedAt
		}
	}
	slices.SortStableFunc(events, func(a, b admin.Event) int { return event.Compare(&a.Event, &b.Event) })
	var out strings.Builder
	for _, e := range events {
		fmt.Fprintf(&out, "  %s %s", e.State, e.Type)
		if c := e.Call; c != nil {
			fmt.Fprintf(&out, " %s %s %s", c.ID, c.Status, c.Direction)
			for _, at := range []time.Time{c.StartedAt, c.AnsweredAt, c.EndedAt} {
				switch {
				case at.IsZero():
					out.WriteString(" -")
				case at.Equal(e.ReceivedAt):
					out.WriteString(" now")
				default:
					out.WriteString(" " + at.UTC().Format("15:04:05"))
				}
			}
			if c.Duration != nil {
				fmt.Fprintf(&out, " %vs", *c.Duration)
			}
		}
		if e.Contact != nil {
			fmt.Fprintf(&out, " contact %s", strings.Join(strings.Fields(strings.Join([]string{e.Contact.ID, e.Contact.Phone, e.Contact.Status}, " ")), " "))
		}
		if e.Problem != "" {
			fmt.Fprintf(&out, " (%s)", e.Problem)
		}
		out.WriteString("\n")
	}
	return out.String()
}
