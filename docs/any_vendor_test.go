package docs_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/sources"
)

// TestAnyVendor has the settings of any-vendor.md read the payloads beside them.
func TestAnyVendor(t *testing.T) {
	t.Parallel()
	settings, payloads := map[string]string{}, map[string]string{}
	for _, f := range fences(text(t, "any-vendor.md")) {
		if name, ok := strings.CutPrefix(f.mark, "settings "); ok {
			settings[name] = f.text
		}
		if name, ok := strings.CutPrefix(f.mark, "payload "); ok {
			payloads[name] = strings.TrimSpace(f.text)
		}
	}
	for name, check := range map[string]func(*event.Event) bool{
		"phones": func(e *event.Event) bool {
			c := e.Call
			return e.Type == event.CallEnded && c.Status == event.Completed && c.Direction == "inbound" && c.From == "+493023125017" &&
				*c.Duration == 95 && c.Agent.Email == "lena.probe@example.com" && e.Contact.Phone == c.From
		},
		"chat": func(e *event.Event) bool {
			return e.Type == event.ConversationClosed && e.Conversation.ID == "c-17" && e.Contact.FullName == "Erika Mustermann" &&
				len(e.Contact.Tags) == 2 && e.OccurredAt.Equal(time.Date(2026, 3, 10, 11, 40, 0, 0, time.UTC))
		},
	} {
		if settings[name] == "" || payloads[name] == "" {
			t.Fatalf("any-vendor.md has no settings or no payload %s", name)
		}
		dir := t.TempDir()
		file := filepath.Join(dir, "config.yaml")
		for path, content := range map[string]string{file: settings[name], filepath.Join(dir, "mapping.yaml"): "version: 1\n"} {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		setup, problems := app.BuildOffline(file, "test")
		if problems.Has(diag.Error) {
			t.Fatal(problems)
		}
		contentType := "application/json"
		if !strings.HasPrefix(payloads[name], "{") {
			contentType = sources.FormType
		}
		p := setup.Sources[name].Parse(&sources.Request{
			Header: http.Header{"Content-Type": {contentType}}, Body: []byte(payloads[name]), At: time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC),
		})
		if p.Problem != "" || !check(p.Event) {
			t.Errorf("%s: problem %q, %+v", name, p.Problem, p.Event)
		}
	}
}
