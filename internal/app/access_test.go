package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// built gives the problems of a settings file with these lines and sources.
func built(t *testing.T, lines string) diag.Problems {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"config.yaml": "data_dir: data\nmapping: mapping.yaml\n" + lines, "mapping.yaml": unmatchedRules} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, ps := BuildOffline(filepath.Join(dir, "config.yaml"), "test")
	var ours diag.Problems // not those of a mapping without its connector
	for _, p := range ps {
		if strings.HasSuffix(p.Pos.File, "config.yaml") {
			ours = append(ours, p)
		}
	}
	return ours
}

func TestCheckRefusesSettingsOfSourcesThatCannotWork(t *testing.T) {
	t.Parallel()
	const (
		telli    = "sources: {calls: {type: telli, signing_secret: " + benchSecret + ", "
		voipgrid = "sources: {phones: {type: voipgrid, token: phones-token-of-32-characters-00, "
		unsigned = "sources: {phones: {type: voipgrid, "
		twilio   = "sources: {twilio: {type: webhook, preset: twilio, secret: 0123456789abcdef"
	)
	for _, c := range []struct {
		name, settings string
		want           string // "" for no problem
		severity       diag.Severity
	}{
		{"a country by its name", telli + "country: Germany}}", "wants the code of a country (did you mean DE?)", diag.Error},
		{"a country that there is not", voipgrid + "country: XX}}", "wants the code of a country", diag.Error},
		{"a country of a generic source", twilio + ", country: UK}}\npublic_url: https://hooks.example.com", "did you mean GB?", diag.Error},
		{"a country", telli + "country: AT}}", "", 0},
		{"a country in small letters", telli + "country: at}}", "", 0},
		{"a negative rate", telli + "limits: {rate: -1}}}", "wants 0 to 1000000 webhooks a second", diag.Error},
		{"a negative number at one time", telli + "limits: {in_flight: -3}}}", "wants 0 or more", diag.Error},
		{"a body of one byte", telli + "limits: {body: 1}}}", "wants 1KiB to 64MiB", diag.Error},
		{"a body of a gigabyte", telli + "limits: {body: 1GiB}}}", "wants 1KiB to 64MiB", diag.Error},
		{"a burst without rate", telli + "limits: {burst: 5}}}", "burst has no effect without rate", diag.Error},
		{"a negative burst", telli + "limits: {rate: 1, burst: -5}}}", "wants 0 or more", diag.Error},
		{"limits", telli + "limits: {rate: 0.5, burst: 5, in_flight: 3, body: 64MiB}}}", "", 0},
		{"every address, of a vendor that signs nothing", unsigned + "allow_from: [0.0.0.0/0]}}", `nothing proves who sends to "phones": allow_from admits every address`, diag.Error},
		{"every address of the newer protocol", unsigned + "allow_from: ['::/0']}}", "allow_from admits every address", diag.Error},
		{"every address with a token", voipgrid + "allow_from: [192.0.2.7, 0.0.0.0/0]}}", "allow_from admits every address", diag.Warning},
		{"every address of a vendor that signs", telli + "allow_from: [0.0.0.0/0]}}", "allow_from admits every address", diag.Warning},
		{"every address and the wish for it", unsigned + "unauthenticated: true, allow_from: [0.0.0.0/0]}}", `anybody who reaches this machine can send events as "phones"`, diag.Warning},
		{"an address", unsigned + "allow_from: [192.0.2.0/24]}}", "", 0},
		{"a signed address that nobody knows", twilio + "}}", "this vendor signs the address that it calls, which a proxy in front of crmsyncd hides", diag.Warning},
		{"a signed address that is known", twilio + "}}\npublic_url: https://hooks.example.com", "", 0},
		{"a proof without the address", "sources: {twilio: {type: webhook, preset: twilio, secret: 0123456789abcdef, auth: [{header: {name: X-Key}}]}}", "", 0},
		{"settings that sign the address", "sources: {any: {type: webhook, event: unknown, secret: 0123456789abcdef, auth: [{hmac: {header: X-Sig, signs: '{url_encoded}{body}'}}]}}", "this vendor signs the address", diag.Warning},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ps := built(t, c.settings+"\n")
			switch {
			case c.want == "" && len(ps) == 0:
			case c.want == "":
				t.Errorf("got %v, want no problem", ps)
			case len(ps) == 0:
				t.Errorf("it was taken, want %s", c.want)
			case !strings.Contains(ps[0].Error(), c.want) || ps[0].Severity != c.severity:
				t.Errorf("got %v of severity %v, want %s of %v", ps[0], ps[0].Severity, c.want, c.severity)
			case ps[0].Pos.Line != 3:
				t.Errorf("it is told at line %d, want 3", ps[0].Pos.Line)
			}
		})
	}
}
