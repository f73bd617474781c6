package webhook_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/sources/sourcetest"
	"github.com/crmsyncd/crmsyncd/sources/webhook"
)

const secret = "0123456789abcdefghij"

var at = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// language is mapping's, as the app gives it.
func language(country string, zone *time.Location, tables *diag.Node) (webhook.Formulas, diag.Problems) {
	return mapping.NewFormulas(country, zone, tables)
}

// open makes a source of settings as they stand in config.yaml.
func open(t testing.TB, text string) (*webhook.Source, error) {
	t.Helper()
	root, ps := diag.ReadYAML("config.yaml", []byte(text))
	if ps.Err() != nil {
		t.Fatal(ps)
	}
	var cfg webhook.Config
	if ps := root.Decode(&cfg); ps.Err() != nil {
		return nil, ps
	}
	return webhook.New("pbx", cfg, "DE", language)
}

func source(t testing.TB, text string) *webhook.Source {
	t.Helper()
	s, err := open(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func presetSource(t testing.TB, name string) *webhook.Source {
	t.Helper()
	s, err := webhook.New("pbx", webhook.Config{Preset: name, Secret: []config.Secret{secret}}, "DE", language)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func request(contentType, body string) *sources.Request {
	return &sources.Request{
		Method: http.MethodPost, URL: &url.URL{Scheme: "https", Host: "hooks.example.com", Path: "/hooks/pbx"},
		Header: http.Header{"Content-Type": {contentType}}, Body: []byte(body), At: at,
	}
}

// TestPresets/… tries the suite of all sources on the payloads of each preset.
func TestPresets(t *testing.T) {
	t.Parallel()
	body := map[string]bool{"placetel": true, "twilio": true, "retell": true, "elevenlabs": true, "dialpad": true}
	fresh := map[string]bool{"retell": true}
	for _, name := range webhook.Presets() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sourcetest.Run(t, sourcetest.Fixture{Source: presetSource(t, name), Samples: filepath.Join("testdata", name), At: at, ChangedBody: body[name], Fresh: fresh[name]})
		})
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
