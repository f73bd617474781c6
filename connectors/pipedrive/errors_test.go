package pipedrive

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for n := 0; n < len(pairs); n += 2 {
			h.Set(pairs[n], pairs[n+1])
		}
		return h
	}
	const over = `{"success":false,"error":"request over limit"}`
	burst := connectors.Error{Kind: connectors.RateLimited, Code: codeBurst, Account: true, Wait: 2 * time.Second}
	day := connectors.Error{Kind: connectors.RateLimited, Code: codeDay, Account: true, Park: true, Wait: time.Hour}
	longDay := day
	longDay.Wait = 5 * time.Hour
	for _, c := range []struct {
		name   string
		status int
		header http.Header
		body   string
		want   connectors.Error // Message is not compared
	}{
		{"burst", 429, header("X-Ratelimit-Remaining", "0", "X-Ratelimit-Reset", "2"), over, burst},
		{"burst without headers", 429, nil, over, burst},
		{"burst of which the reset is no time", 429, header("X-Ratelimit-Reset", "-7"), over, burst},
		{"day: a burst that has room left", 429, header("X-Ratelimit-Remaining", "17"), over, day},
		{"day: a counter at zero", 429, header("X-Ratelimit-Remaining", "0", "X-Daily-Requests-Left", "0"), over, day},
		{"burst: a counter above zero", 429, header("X-Ratelimit-Remaining", "0", "X-Daily-Requests-Left", "812"), over, burst},
		{"day: a long wait", 429, header("Retry-After", "18000"), over, longDay},
		{"day: the word", 429, nil, `{"success":false,"error":"Daily API limit exceeded"}`, day},
		{"no token", 401, nil, `{"success":false,"error":"unauthorized access"}`, connectors.Error{Kind: connectors.Auth, Account: true}},
		{"not paid", 402, nil, `{"success":false}`, connectors.Error{Kind: connectors.Auth, Account: true}},
		{"no permission", 403, nil, `{"success":false,"error":"Scope and URL mismatch"}`, connectors.Error{Kind: connectors.Auth, Account: true}},
		{"the plan", 403, nil, `{"success":false,"error":"x","code":"feature_capping_deals_limit"}`, connectors.Error{Kind: connectors.Invalid, Code: "FEATURE_CAPPING_DEALS_LIMIT"}},
		{"shut out by the edge", 403, nil, `<html>`, connectors.Error{Kind: connectors.RateLimited, Code: "SHUT_OUT", Account: true, Park: true, Wait: time.Hour}},
		{"gone", 404, nil, `{"success":false,"error":"Person not found"}`, connectors.Error{Kind: connectors.NotFound}},
		{"deleted", 410, nil, `{"success":false}`, connectors.Error{Kind: connectors.NotFound}},
		{"no such path", 404, nil, `{"success":false,"error":"Unknown method ."}`, connectors.Error{Kind: connectors.Transient, Account: true, Park: true}},
		{"another server", 404, nil, `<html>`, connectors.Error{Kind: connectors.Transient, Account: true, Park: true}},
		{"a redirect", 302, nil, ``, connectors.Error{Kind: connectors.Transient, Account: true, Park: true}},
		{"a field", 400, nil, `{"success":false,"error":"\"outcome\" is required."}`, connectors.Error{Kind: connectors.Invalid, Field: "outcome"}},
		{"data in a message", 400, nil, `{"success":false,"error":"'somebody@example.com' is bad","code":"a b"}`, connectors.Error{Kind: connectors.Invalid}},
		{"server", 500, nil, `{"success":false}`, connectors.Error{Kind: connectors.Unknown}},
		{"not looked at", 503, nil, ``, connectors.Error{Kind: connectors.Transient}},
		{"not JSON", 422, nil, `null`, connectors.Error{Kind: connectors.Invalid}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.header == nil {
				c.header = http.Header{}
			}
			got := classify(&httpx.Response{Status: c.status, Header: c.header, Body: []byte(c.body)}, false)
			if got.Message == "" {
				t.Error("it has no message")
			}
			got.Message = ""
			if diff := cmp.Diff(c.want, *got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzClassify(f *testing.F) {
	f.Add(400, []byte(`{"success":false,"error":"'name' is required","code":"x"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if e := classify(&httpx.Response{Status: status, Header: http.Header{}, Body: body}, true); e.Error() == "" {
			t.Error("no message")
		}
	})
}

func TestABurstThatDoesNotEndIsAUsedUpDay(t *testing.T) {
	t.Parallel()
	b := newBudget(0)
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	refused := func(after time.Duration) *connectors.Error {
		return b.judge(&connectors.Error{Kind: connectors.RateLimited, Code: codeBurst, Account: true, Wait: burstSpan}, at.Add(after))
	}
	for after, park := range map[time.Duration]bool{0: false, 30 * time.Second: false} {
		if e := refused(after); e.Park != park {
			t.Errorf("after %v: got %+v, want park %v", after, e, park)
		}
	}
	b.accepted()
	b.refused = at
	if e := refused(2 * time.Minute); !e.Park || e.Code != codeDay {
		t.Errorf("after two minutes of refusals: got %+v, want a used-up day", e)
	}
	b.accepted()
	if e := refused(3 * time.Minute); e.Park {
		t.Errorf("after an accepted request: got %+v, want a burst", e)
	}
}

func TestTokensComeBackAtMidnight(t *testing.T) {
	t.Parallel()
	b := newBudget(10)
	at := time.Date(2026, 11, 21, 23, 0, 0, 0, time.UTC)
	if e := b.take(10, at); e != nil {
		t.Fatal(e)
	}
	if e := b.take(1, at); e == nil || e.Wait != time.Hour {
		t.Errorf("got %+v, want a wait of an hour", e)
	}
	if e := b.take(1, at.Add(time.Hour)); e != nil {
		t.Errorf("the next day: got %v", e)
	}
	if b.total() != 11 {
		t.Errorf("%d tokens were counted, want 11", b.total())
	}
}

// TestCosts holds the counted tokens against what the vendor's documents say of
// every operation on the paths that the connector knows.
func TestCosts(t *testing.T) {
	t.Parallel()
	compared := 0
	for _, version := range []string{v1, v2} {
		name := strings.TrimPrefix(strings.TrimPrefix(version, "/api"), "/")
		text, err := os.ReadFile("../../../shared/specs/pipedrive/pipedrive-openapi-" + name + ".yaml")
		if err != nil {
			t.Skip("the vendor's OpenAPI documents are not here")
		}
		var document struct {
			Paths map[string]map[string]any `yaml:"paths"`
		}
		if err := yaml.Unmarshal(text, &document); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/users", "/activityTypes"} {
			if version == v1 {
				compared += compare(t, version, path, document.Paths[path])
			}
		}
		for _, k := range kinds {
			for _, path := range []string{k.path, k.path + "/{id}", k.search, k.fields} {
				if rest, ours := strings.CutPrefix(path, version); ours && path != "" {
					compared += compare(t, version, rest, document.Paths[rest])
				}
			}
		}
	}
	if compared < 40 {
		t.Errorf("only %d operations were compared", compared)
	}
}

func compare(t *testing.T, version, path string, operations map[string]any) (n int) {
	t.Helper()
	if operations == nil {
		t.Errorf("the document has no path %s%s", version, path)
	}
	for method, op := range operations {
		o, _ := op.(map[string]any)
		want, ok := o["x-token-cost"].(int)
		if !ok {
			continue
		}
		n++
		if got := cost(strings.ToUpper(method), version+strings.ReplaceAll(path, "{id}", "1")); got != want {
			t.Errorf("%s %s%s: counted %d tokens, the document says %d", method, version, path, got, want)
		}
	}
	return n
}
