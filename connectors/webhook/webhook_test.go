package webhook_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/connectortest"
	"github.com/crmsyncd/crmsyncd/connectors/webhook"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

var key = []byte("twenty-four bytes of key")

func secretOf(key []byte) config.Secret {
	return config.Secret("whsec_" + base64.StdEncoding.EncodeToString(key))
}

func connect(t *testing.T, url string, change ...func(*webhook.Config)) connectors.Connector {
	t.Helper()
	cfg := webhook.Config{URL: config.Secret(url), SigningSecret: []config.Secret{secretOf(key)}, AllowPrivate: []string{"true"}, Timeout: time.Minute, RequestsPerSecond: 10_000}
	for _, f := range change {
		f(&cfg)
	}
	c, err := webhook.New(cfg, connectors.Options{Name: "zap", UserAgent: "crmsyncd/test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, c connectors.Connector, changes ...connectors.Change) []connectors.Result {
	t.Helper()
	results, err := c.Write(t.Context(), changes)
	if err != nil || len(results) != len(changes) {
		t.Fatalf("got %d results for %d changes, error %v", len(results), len(changes), err)
	}
	return results
}

// caught is a request as the receiver saw it.
type caught struct {
	header http.Header
	path   string
	body   []byte
}

// receiver answers with each status in turn, the last one again and again.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	seen []caught
}

func receive(t *testing.T, header http.Header, statuses ...int) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		r.seen = append(r.seen, caught{q.Header, q.URL.RequestURI(), body})
		status := statuses[min(len(r.seen), len(statuses))-1]
		r.mu.Unlock()
		for k, v := range header {
			w.Header()[k] = v
		}
		w.WriteHeader(status)
		io.WriteString(w, "the patient said: no") // must not show anywhere
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) requests() []caught {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]caught(nil), r.seen...)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	connectortest.Test(t, connectortest.Harness{
		CRM:       "webhook",
		WriteOnly: true,
		Sandbox: func(t *testing.T) string {
			s := httptest.NewServer(sandbox.New(sandbox.Options{Unlimited: true}))
			t.Cleanup(s.Close)
			return s.URL
		},
		New: func(t *testing.T, url string, o connectors.Options) connectors.Connector {
			c, err := webhook.New(webhook.Config{
				URL: config.Secret(url + "/webhook/zap/" + connectortest.Secret), SigningSecret: []config.Secret{config.Secret(connectortest.Secret)},
				AllowPrivate: []string{"127.0.0.0/8"}, Timeout: time.Minute, RequestsPerSecond: 10_000,
			}, o)
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
		People: connectortest.Shape{Object: "post", Key: "id", Name: "name", Email: "email", Phone: "phone"},
		Calls:  connectortest.Shape{Object: "zap/" + connectortest.Secret, Key: "id", Name: "title"},
	})
}

func TestTheBodyHoldsTheFieldsAsJSON(t *testing.T) {
	t.Parallel()
	r := receive(t, nil, 200)
	at := time.Date(2026, 11, 21, 11, 0, 0, 0, time.FixedZone("", 3600))
	results := write(t, connect(t, r.URL+"/hook?key=a%2Fb"), connectors.Change{Object: "post", Idempotency: "evt_1_ab", Fields: map[string]connectors.Value{
		connectors.WholeEvent: map[string]any{"type": "call.ended", "call": map[string]any{"id": "c1", "duration": event.Seconds(12.5)}},
		"call.id":             "other", "person.name": "Erika <b>", "person.tags": []any{"a", 1}, "at": at, "vip": true, "gone": nil, "n": 7,
	}})
	if res := results[0]; res.Err != nil || res.ID != "evt_1_ab" || !res.Created {
		t.Fatalf("got %+v, want it posted under its id", res)
	}
	got := r.requests()[0]
	var body any
	if err := json.Unmarshal(got.body, &body); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"type": "call.ended", "call": map[string]any{"id": "other", "duration": 12.5},
		"person": map[string]any{"name": "Erika <b>", "tags": []any{"a", 1.0}}, "at": "2026-11-21T10:00:00Z", "vip": true, "gone": nil, "n": 7.0,
	}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if got.path != "/hook?key=a%2Fb" || got.header.Get("Content-Type") != "application/json" || got.header.Get("User-Agent") != "crmsyncd/test" {
		t.Errorf("got %s with %v", got.path, got.header)
	}
}

func TestAFieldWithoutAPlaceInTheBodyIsInvalid(t *testing.T) {
	t.Parallel()
	r := receive(t, nil, 200)
	for _, fields := range []map[string]connectors.Value{{"a": 1, "a.b": 2}, {"a..b": 1}, {".": 1}} {
		res := write(t, connect(t, r.URL), connectors.Change{Fields: fields})[0]
		if res.Err == nil || res.Err.Kind != connectors.Invalid || res.Err.Field == "" {
			t.Errorf("%v: got %v, want the field as invalid", fields, res.Err)
		}
	}
	if n := len(r.requests()); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
}

func TestEveryAttemptHasTheSameIDAndBody(t *testing.T) {
	t.Parallel()
	r := receive(t, nil, 500, 503, 200)
	c := connect(t, r.URL)
	change := connectors.Change{Idempotency: "evt_1_ab", Fields: map[string]connectors.Value{"a": 1, "b": 2, "c": map[string]any{"x": 1, "y": 2}}}
	if res := write(t, c, change)[0]; res.Err != nil {
		t.Fatal(res.Err)
	}
	change.Attempted = time.Now()
	write(t, c, change)
	seen := r.requests()
	if len(seen) != 4 {
		t.Fatalf("%d requests, want two refused, one taken and one repeated", len(seen))
	}
	for _, q := range seen {
		if q.header.Get("Webhook-Id") != "evt_1_ab" || string(q.body) != string(seen[0].body) {
			t.Errorf("got id %q and body %s, want those of the first", q.header.Get("Webhook-Id"), q.body)
		}
	}
}

func TestALostAnswerMayBeRepeated(t *testing.T) {
	t.Parallel()
	r := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		io.Copy(io.Discard, q.Body) // without it the server does not see that the client is gone
		<-q.Context().Done()
	}))
	t.Cleanup(r.Close)
	c := connect(t, r.URL+"/secret-path", func(cfg *webhook.Config) { cfg.Timeout = 30 * time.Millisecond })
	e := write(t, c, connectors.Change{Idempotency: "evt_1_ab"})[0].Err
	if e == nil || e.Kind != connectors.Transient || e.Account || strings.Contains(e.Error(), "secret-path") {
		t.Errorf("got %v, want transient, without the path", e)
	}
}

func TestAnswersAreClassified(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]connectors.Error{
		302: {Kind: connectors.Transient, Account: true, Park: true},
		400: {Kind: connectors.Invalid},
		401: {Kind: connectors.Auth, Account: true},
		403: {Kind: connectors.Auth, Account: true},
		404: {Kind: connectors.Transient, Account: true, Park: true},
		408: {Kind: connectors.Transient},
		409: {Kind: connectors.Invalid},
		410: {Kind: connectors.Auth, Account: true, Park: true},
		413: {Kind: connectors.Invalid},
		422: {Kind: connectors.Invalid},
		429: {Kind: connectors.RateLimited, Account: true, Wait: time.Hour},
		500: {Kind: connectors.Transient, Wait: time.Hour},
		503: {Kind: connectors.Transient, Wait: time.Hour},
	} {
		header := http.Header{"Location": {"/elsewhere"}}
		if want.Wait > 0 {
			header.Set("Retry-After", "3600")
		}
		r := receive(t, header, status)
		e := write(t, connect(t, r.URL+"/secret-path"), connectors.Change{Idempotency: "evt_1_ab"})[0].Err
		switch {
		case e == nil || e.Kind != want.Kind || e.Account != want.Account || e.Park != want.Park || e.Wait != want.Wait:
			t.Errorf("%d: got %+v, want %+v", status, e, want)
		case strings.Contains(e.Error(), "secret-path") || strings.Contains(e.Error(), "patient"):
			t.Errorf("%d: %v shows what it must not", status, e)
		case !strings.Contains(e.Error(), http.StatusText(status)) && !strings.Contains(e.Error(), "answered "):
			t.Errorf("%d: %v does not name the status", status, e)
		}
		if status == 302 && len(r.requests()) != 1 {
			t.Errorf("the redirect was followed: %d requests", len(r.requests()))
		}
	}
}

func TestHeadersOfTheSettingsAreSent(t *testing.T) {
	t.Parallel()
	r := receive(t, nil, 200)
	c := connect(t, r.URL, func(cfg *webhook.Config) {
		cfg.Headers = map[string]config.Secret{"authorization": "Bearer x", "X-Tenant": "7"}
		cfg.SigningSecret, cfg.Unsigned = nil, true
	})
	write(t, c, connectors.Change{Idempotency: "evt_1_ab"})
	h := r.requests()[0].header
	if h.Get("Authorization") != "Bearer x" || h.Get("X-Tenant") != "7" || h.Get("Webhook-Id") != "evt_1_ab" || h.Get("Webhook-Signature") != "" {
		t.Errorf("got %v, want the settings' headers, an id and no signature", h)
	}
}

func TestUnfitSettingsAreNamed(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*webhook.Config){
		"url: not":                               func(c *webhook.Config) { c.URL = "ftp://example.com" },
		"url: a user":                            func(c *webhook.Config) { c.URL = "https://u:p@example.com" },
		"signing_secret: it is miss":             func(c *webhook.Config) { c.SigningSecret = nil },
		"signing_secret: number 2":               func(c *webhook.Config) { c.SigningSecret = append(c.SigningSecret, "short") },
		"signing_secret: number 1: what follows": func(c *webhook.Config) { c.SigningSecret = []config.Secret{"whsec_*"} },
		"unsigned: it contradicts":               func(c *webhook.Config) { c.Unsigned = true },
		"headers: Webhook-Id is set":             func(c *webhook.Config) { c.Headers = map[string]config.Secret{"webhook-id": "1"} },
		"headers: Traceparent is set":            func(c *webhook.Config) { c.Headers = map[string]config.Secret{"traceparent": "1"} },
		"headers: the value of X-A":              func(c *webhook.Config) { c.Headers = map[string]config.Secret{"x-a": "1\r\nX-B: 2"} },
		"headers: \"a b\"":                       func(c *webhook.Config) { c.Headers = map[string]config.Secret{"a b": "1"} },
		"allow_private: write":                   func(c *webhook.Config) { c.AllowPrivate = []string{"home"} },
	} {
		cfg := webhook.Config{URL: "https://example.com/secret-path", SigningSecret: []config.Secret{secretOf(key)}}
		change(&cfg)
		_, err := webhook.New(cfg, connectors.Options{})
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "secret-path") {
			t.Errorf("got %v, want %s…", err, want)
		}
	}
}

func TestNothingIsFoundAndAnyFieldIsTaken(t *testing.T) {
	t.Parallel()
	c := connect(t, "https://example.com")
	found, err := c.Find(t.Context(), make([]connectors.Match, 3))
	if err != nil || len(found) != 3 || len(found[0].Records) != 0 {
		t.Errorf("found %v, %v; want three times nothing", found, err)
	}
	schema, err := c.Describe(t.Context(), []string{"post"})
	if err != nil || !schema["post"].Open {
		t.Errorf("got %v, %v; want an open object", schema, err)
	}
}
