package config_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

var update = flag.Bool("update", false, "write the goldens")

// env has a few variables, files and credentials, all with the same odd secret.
func env() config.Env {
	vars := map[string]string{"TOKEN": secret, "EMPTY": "", "N": "7"}
	files := map[string]string{"etc/token": secret + "\n", "/run/cred/hubspot": secret, "/abs/token": secret, "etc/empty": "\n", "etc/binary": "a\x00b"}
	return config.Env{
		Getenv: func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
		ReadFile: func(path string) ([]byte, error) {
			if text, ok := files[path]; ok {
				return []byte(text), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		},
		CredentialsDir: "/run/cred",
	}
}

const secret = `s3cr"et: #{'x'}: ${NOT} &*`

func read(t testing.TB, text string) (*config.Settings, string) {
	t.Helper()
	s, problems := config.Read("etc/config.yaml", []byte(text), env())
	var b bytes.Buffer
	problems.Render(&b)
	return s, b.String()
}

func TestReadFillsInDefaults(t *testing.T) {
	t.Parallel()
	s, problems := read(t, "")
	if problems != "" {
		t.Fatal(problems)
	}
	want := &config.Settings{
		File: "etc/config.yaml", Dir: "etc", Listen: "127.0.0.1:8787", Admin: "127.0.0.1:8788", DataDir: "etc/data", Mapping: "etc/mapping.yaml",
		Defaults:  config.Defaults{Zone: time.UTC},
		Delivery:  config.Delivery{MaxAge: 7 * 24 * time.Hour, BackoffMin: 5 * time.Second, BackoffMax: time.Hour, Drain: 25 * time.Second},
		Retention: config.Retention{Done: 90 * 24 * time.Hour, Unmatched: 30 * 24 * time.Hour, Discarded: 30 * 24 * time.Hour, Quarantined: 90 * 24 * time.Hour, Identity: 400 * 24 * time.Hour},
		Privacy:   config.Privacy{StoreTranscripts: true},
		Reconcile: config.Reconcile{Jitter: time.Minute, Overlap: 2 * time.Hour, FullEvery: 7 * 24 * time.Hour, RequestsPerRun: 2000, RequestsPerDay: 10_000, OnEdit: "keep", OnMissing: "report", Zone: time.UTC},
		Limits: config.Limits{
			Body: 8 << 20, InFlight: 512, Buffered: 256 << 20, Connections: 2048, PerAddress: 512,
			HeaderTime: 5 * time.Second, BodyTime: 15 * time.Second, IdleTime: time.Minute, StoreTime: 4 * time.Second,
		},
		Log:     config.Log{Level: "info", Format: "text"},
		Tracing: config.Tracing{Sample: 1},
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
}

func TestReadTakesTheStateDirectory(t *testing.T) {
	t.Parallel()
	e := env()
	e.Getenv = func(name string) (string, bool) { return "/var/lib/crmsyncd:/var/lib/other", name == "STATE_DIRECTORY" }
	if s, _ := config.Read("config.yaml", nil, e); s.DataDir != "/var/lib/crmsyncd" {
		t.Errorf("data_dir is %q", s.DataDir)
	}
}

func TestReadWholeFile(t *testing.T) {
	t.Parallel()
	s, problems := read(t, `
listen: :80
admin: unix:/run/crmsyncd/admin.sock
data_dir: /var/lib/crmsyncd
mapping: mapping.d
sources:
  zebra:
    type: telli
    signing_secret: ["${TOKEN}", '${file:token}']
    note: costs $5 and $${TOKEN}
  alpha:
    type: sipgate
    token: Bearer ${credential:hubspot} ${file:/abs/token}
connectors:
  crm: {type: hubspot, access_token: "${TOKEN}"}
defaults: {country: DE, timezone: Europe/Berlin}
delivery: {max_age: 3d, max_attempts: 5, backoff_min: 1s, backoff_max: 10m, drain: 5s}
limits: {body: 2MB, in_flight: "${N}"}
log: {level: debug, format: json}
trusted_proxies: [10.0.0.0/8, 192.0.2.1, "::1"]
ledger: bolt
`)
	if problems != "" {
		t.Fatal(problems)
	}
	if s.Listen != ":80" || s.Admin != "unix:/run/crmsyncd/admin.sock" || s.DataDir != "/var/lib/crmsyncd" || s.Mapping != "etc/mapping.d" {
		t.Errorf("addresses and paths: %+v", s)
	}
	if len(s.Sources) != 2 || s.Sources[0].Name != "zebra" || s.Sources[1].Name != "alpha" || s.Sources[1].Type != "sipgate" {
		t.Fatalf("sources are not in the file's order: %+v", s.Sources)
	}
	var vendor struct {
		Secrets []config.Secret `yaml:"signing_secret"`
		Note    string          `yaml:"note"`
	}
	if ps := s.Sources[0].Decode(&vendor); ps != nil {
		t.Fatal(ps)
	}
	if len(vendor.Secrets) != 2 || vendor.Secrets[0].Reveal() != secret || vendor.Secrets[1].Reveal() != secret {
		t.Errorf("the secrets did not arrive whole: %d", len(vendor.Secrets))
	}
	if vendor.Note != "costs $5 and ${TOKEN}" {
		t.Errorf("note is %q", vendor.Note)
	}
	var alpha struct {
		Token config.Secret `yaml:"token"`
	}
	if ps := s.Sources[1].Decode(&alpha); ps != nil || alpha.Token.Reveal() != "Bearer "+secret+" "+secret {
		t.Errorf("several references in one value: %v", ps)
	}
	if s.Defaults.Zone.String() != "Europe/Berlin" || s.Defaults.Country != "DE" {
		t.Errorf("defaults: %+v", s.Defaults)
	}
	if s.Delivery.MaxAge != 72*time.Hour || s.Limits.Body != 2e6 || s.Limits.InFlight != 7 || s.Limits.StoreTime != 4*time.Second {
		t.Errorf("delivery %+v, limits %+v", s.Delivery, s.Limits)
	}
	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("::1/128")}
	if !reflect.DeepEqual(s.TrustedProxies, want) {
		t.Errorf("trusted_proxies: %v", s.TrustedProxies)
	}
}

// Each file in testdata/problems is a broken config.yaml; beside it stands
// what a person is shown.
func TestReadShowsEveryProblem(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("testdata/problems/*.yaml")
	if len(files) == 0 {
		t.Fatal("no files")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, problems := config.Read("config.yaml", text, env())
			if problems.Err() == nil {
				t.Error("no error is among the problems")
			}
			if s != nil { // vendors' problems are shown with the same care
				for _, b := range append(s.Sources, s.Connectors...) {
					var vendor struct {
						Secret []config.Secret `yaml:"signing_secret"`
						Token  config.Secret   `yaml:"token"`
						Limit  int             `yaml:"limit"`
					}
					problems = append(problems, b.Decode(&vendor)...)
				}
			}
			var got bytes.Buffer
			problems.Render(&got)
			if strings.Contains(got.String(), "hunter2") || strings.Contains(got.String(), "s3cr") {
				t.Errorf("a secret is shown:\n%s", got.String())
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
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
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestUnresolvedReferencesMarkTheirBlock(t *testing.T) {
	t.Parallel()
	s, problems := read(t, "sources:\n  a: {type: telli, signing_secret: [\"${NOPE}\"]}\n  b: {type: telli, signing_secret: \"${TOKEN}\"}\n")
	if !s.Sources[0].Unresolved || s.Sources[1].Unresolved {
		t.Errorf("unresolved: a %v, b %v", s.Sources[0].Unresolved, s.Sources[1].Unresolved)
	}
	if !strings.Contains(problems, "NOPE") {
		t.Error(problems)
	}
}

func TestOfflineNeedsNoSecrets(t *testing.T) {
	t.Parallel()
	e := env()
	e.Offline = true
	s, problems := config.Read("config.yaml", []byte("sources:\n  a: {type: telli, signing_secret: \"${NOPE}\", token: \"${TOKEN}\"}\n"), e)
	if problems != nil {
		t.Fatal(problems)
	}
	var vendor struct {
		Secret config.Secret `yaml:"signing_secret"`
		Token  config.Secret `yaml:"token"`
	}
	if ps := s.Sources[0].Decode(&vendor); ps != nil || s.Sources[0].Unresolved || !s.Sources[0].StandIns {
		t.Errorf("unresolved %v, stand-ins %v: %v", s.Sources[0].Unresolved, s.Sources[0].StandIns, ps)
	}
	if key, err := base64.StdEncoding.DecodeString(vendor.Secret.Reveal()); err != nil || len(key) != 32 {
		t.Errorf("the stand-in is no key of 32 bytes (%v)", err)
	}
	if vendor.Token.Reveal() != secret {
		t.Error("a secret that is there was not taken")
	}
}

func TestASecretOfAFileIsAsItWasMeant(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, at := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "token")
	if err := os.WriteFile(path, []byte("sources: {telli: {type: telli}}\nconnectors: {crm: {type: hubspot, access_token: \"${file:token}\"}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		secret: secret, secret + "\r\n": secret, "\ufeff" + secret + "\n": secret, secret + " \t\n\n": secret, " a b": " a b",
		"\ufeff": "is empty", " \n": "is empty",
	} {
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, ps := config.Load(path, config.System())
		if want == "is empty" {
			if !ps.Has(diag.Error) || !strings.Contains(ps.Error(), want) {
				t.Errorf("%q: %v", text, ps)
			}
			continue
		}
		var vendor struct {
			Token config.Secret `yaml:"access_token"`
		}
		if more := s.Connectors[0].Decode(&vendor); ps.Err() != nil || more != nil || vendor.Token.Reveal() != want {
			t.Errorf("%q is taken for %q: %v, %v", text, vendor.Token.Reveal(), ps, more)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "config.yaml")
	if _, ps := config.Load(path, config.System()); !ps.Has(diag.Error) || !strings.Contains(ps.Error(), "no such file") {
		t.Errorf("a missing file: %v", ps)
	}
	if _, ps := config.Load(dir, config.System()); !ps.Has(diag.Error) || !strings.Contains(ps.Error(), "this is a folder") || !strings.Contains(ps[0].Hint, path) {
		t.Errorf("a folder: %v", ps)
	}
	write := func(text string, mode os.FileMode) diag.Problems {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		s, ps := config.Load(path, config.System())
		if s == nil || s.DataDir != filepath.Join(dir, "x") {
			t.Errorf("settings: %+v", s)
		}
		return ps
	}
	const literal = "data_dir: x\nsources:\n  a:\n    type: telli\n    signing_secret: hunter2\n"
	if ps := write(literal, 0o640); len(ps) != 0 {
		t.Errorf("a file of the group: %v", ps)
	}
	if ps := write(literal, 0o644); ps.Has(diag.Error) || len(ps) != 1 || strings.Contains(ps.Error(), "hunter2") {
		t.Errorf("a secret for everyone: %v", ps)
	}
	if ps := write("data_dir: x\nsources:\n  a:\n    type: telli\n    signing_secret: ${PATH}\n", 0o644); len(ps) != 0 {
		t.Errorf("a reference for everyone: %v", ps)
	}
	const short = "data_dir: x\nsources:\n  a: {type: telli, signing_secret: \"${PATH}\", api_key: '${HOME}', base_url: http://127.0.0.1:9/telli}\n"
	if ps := write(short, 0o644); len(ps) != 0 {
		t.Errorf("references in one line for everyone: %v", ps)
	}
	for _, none := range []string{"[none]", "[]", "\n    - none", `""`, "[null]"} {
		if ps := write("data_dir: x\nprivacy:\n  encryption_keys: "+none+"\n", 0o644); strings.Contains(fmt.Sprint(ps), "every user") {
			t.Errorf("no secret, written %q: %v", none, ps)
		}
	}
	for _, one := range []string{`"${PATH}"`, `'${HOME}'`} {
		if ps := write(strings.Replace(short, one, "hunter2", 1), 0o644); len(ps) != 1 || strings.Contains(ps.Error(), "hunter2") {
			t.Errorf("a secret in place of %s: %v", one, ps)
		}
	}
}

func TestTokensInTheClear(t *testing.T) {
	t.Parallel()
	for address, warned := range map[string]bool{
		"http://crm.example.com/hubspot": true, "http://93.184.216.34:80": true,
		"https://crm.example.com": false, "http://127.0.0.1:9900/hubspot": false, "http://sandbox:9900/hubspot": false,
		"http://10.0.0.7/hubspot": false, "http://[::1]:9900": false,
	} {
		_, ps := config.Read("config.yaml", []byte("data_dir: x\nconnectors:\n  hubspot:\n    type: hubspot\n    base_url: "+address+"\n"), env())
		if got := strings.Contains(fmt.Sprint(ps), "can be read on its way"); got != warned || ps.Has(diag.Error) {
			t.Errorf("%s: %v", address, ps)
		}
	}
}

func TestSecretNeverPrints(t *testing.T) {
	t.Parallel()
	s := struct{ Token config.Secret }{"hunter2"}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v %s %v", s, s, s, &s), string(text)} {
		if strings.Contains(out, "hunter2") {
			t.Errorf("shown: %s", out)
		}
	}
}

func TestJSONSchemaKnowsEveryKey(t *testing.T) {
	t.Parallel()
	type vendor struct {
		Secret []config.Secret `yaml:"signing_secret,required" doc:"the secret"`
		Body   config.Bytes    `yaml:"body"`
	}
	text := config.JSONSchema(map[string]any{"telli": vendor{}}, map[string]any{})
	var s map[string]any
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	properties := s["properties"].(map[string]any)
	for _, key := range []string{"listen", "admin", "data_dir", "mapping", "sources", "connectors", "defaults", "delivery", "limits", "log", "trusted_proxies"} {
		p, ok := properties[key].(map[string]any)
		if !ok || p["description"] == nil {
			t.Errorf("%s is missing or has no description", key)
		}
	}
	for _, part := range []string{`"const": "telli"`, `"signing_secret"`, `"the secret"`, `"max_age"`} {
		if !strings.Contains(string(text), part) {
			t.Errorf("%s is missing", part)
		}
	}
}

func FuzzRead(f *testing.F) {
	files, _ := filepath.Glob("testdata/problems/*.yaml")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("sources: {a: {type: telli, signing_secret: '${TOKEN}'}}\nlimits: {body: 1MB}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, problems := config.Read("config.yaml", text, env())
		if s == nil && problems.Err() == nil {
			t.Fatal("neither settings nor an error")
		}
		var b bytes.Buffer
		problems.Render(&b)
		if strings.Contains(b.String(), "s3cr") && !bytes.Contains(text, []byte("s3cr")) {
			t.Fatal("a secret is shown")
		}
	})
}
