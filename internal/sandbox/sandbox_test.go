package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is a time that tests move by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func newClock() *clock {
	return &clock{t: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)}
}

// rig calls a sandbox without a network.
type rig struct {
	t     *testing.T
	s     *Sandbox
	clock *clock
}

func newRig(t *testing.T, o Options) *rig {
	t.Helper()
	c := newClock()
	o.Now = c.now
	return &rig{t: t, s: New(o), clock: c}
}

func unlimited(t *testing.T) *rig {
	t.Helper()
	return newRig(t, Options{Unlimited: true})
}

// reply is an answer with its body, decoded where it is JSON.
type reply struct {
	t      *testing.T
	status int
	header http.Header
	text   string
	body   any
}

func (r *rig) do(method, path, body string) reply {
	r.t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer t")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return r.send(req)
}

func (r *rig) send(req *http.Request) reply {
	r.t.Helper()
	w := httptest.NewRecorder()
	r.s.ServeHTTP(w, req)
	out := reply{t: r.t, status: w.Code, header: w.Header(), text: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &out.body)
	return out
}

// ok fails the test unless the status is one of those wanted.
func (r reply) ok(statuses ...int) reply {
	r.t.Helper()
	for _, s := range statuses {
		if r.status == s {
			return r
		}
	}
	r.t.Fatalf("status: want %v, got %d: %s", statuses, r.status, r.text)
	return r
}

// at walks the body by keys and indexes: "results.0.id".
func (r reply) at(path string) any {
	v := r.body
	for _, key := range strings.Split(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			v = node[key]
		case []any:
			i := 0
			for _, c := range key {
				i = i*10 + int(c-'0')
			}
			if i >= len(node) {
				return nil
			}
			v = node[i]
		default:
			return nil
		}
	}
	return v
}

func (r reply) str(path string) string {
	s, _ := r.at(path).(string)
	return s
}

func (r reply) want(path string, want any) reply {
	r.t.Helper()
	if n, ok := want.(int); ok {
		want = float64(n)
	}
	if got := r.at(path); got != want {
		r.t.Errorf("%s: want %v, got %v in %s", path, want, got, r.text)
	}
	return r
}

func (r reply) contains(part string) reply {
	r.t.Helper()
	if !strings.Contains(r.text, part) {
		r.t.Errorf("want %q in %s", part, r.text)
	}
	return r
}

func TestSandbox(t *testing.T) {
	t.Parallel()
	t.Run("an unknown vendor is 404", func(t *testing.T) {
		t.Parallel()
		unlimited(t).do("GET", "/nosuch/x", "").ok(404).contains("hubspot, airtable, ")
	})
	t.Run("an unknown path is 404 in the vendor's own shape", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		r.do("GET", "/hubspot/crm/v3/nosuch", "").ok(404).want("status", "error")
		r.do("GET", "/airtable/v1/x", "").ok(404).want("error", "NOT_FOUND")
		r.do("GET", "/telli/v1/nosuch", "").ok(404).want("code", "NOT_FOUND")
	})
	t.Run("a call without a token is 401, and with the wrong one too", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, Options{Tokens: map[string]string{"hubspot": "right"}})
		r.send(httptest.NewRequest("GET", "/hubspot/crm/v3/objects/contacts", nil)).ok(401).want("category", "INVALID_AUTHENTICATION")
		r.do("GET", "/hubspot/crm/v3/objects/contacts", "").ok(401).want("category", "INVALID_AUTHENTICATION")
		r.send(httptest.NewRequest("GET", "/airtable/v0/appAAAAAAAAAAAAAA/Contacts", nil)).ok(401).want("error.type", "AUTHENTICATION_REQUIRED")
		r.send(httptest.NewRequest("GET", "/telli/v1/verify-api-key", nil)).ok(401)
		bare := httptest.NewRequest("GET", "/telli/v1/verify-api-key", nil)
		bare.Header.Set("Authorization", "key-without-bearer")
		r.send(bare).ok(200)
	})
	t.Run("what is posted to a webhook can be read back", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		r.do("POST", "/webhook/zap", `{"a":1}`).ok(200)
		r.do("PUT", "/webhook/zap", `not json`).ok(200)
		got := r.do("GET", "/_/records/webhook/zap", "").ok(200)
		got.want("0.fields.body.a", 1).want("0.fields.headers.Authorization", "Bearer t").want("1.fields.body", "not json")
		if n := len(r.s.Records("webhook", "zap")); n != 2 {
			t.Errorf("records: want 2, got %d", n)
		}
	})
	t.Run("a person can create, edit and delete, and reset empties all", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		id := r.do("POST", "/_/records/hubspot/contacts", `{"email":"a@example.com","firstname":"A"}`).ok(201).str("id")
		r.do("PUT", "/_/records/hubspot/contacts/"+id, `{"lastname":"B"}`).ok(200).want("fields.lastname", "B").want("fields.firstname", "A")
		r.do("PUT", "/_/records/hubspot/contacts/"+id, `{"nosuch":"B"}`).ok(422).contains("PROPERTY_DOESNT_EXIST")
		r.do("PUT", "/_/records/hubspot/contacts/999", `{"lastname":"B"}`).ok(404).want("error", "no such record")
		r.do("GET", "/_/records/hubspot/nosuch", "").ok(404)
		r.do("GET", "/_/records/hubspot/contacts/"+id, "").ok(200).want("id", id)
		r.do("DELETE", "/_/records/hubspot/contacts/"+id, "").ok(204)
		r.do("GET", "/_/records/hubspot/contacts", "").ok(200)
		if n := len(r.s.Records("hubspot", "contacts")); n != 0 {
			t.Errorf("records: want none, got %d", n)
		}
		r.do("POST", "/_/records/airtable/Contacts", `{"Name":"A"}`).ok(201).want("fields.Name", "A")
		r.do("POST", "/_/reset", "").ok(204)
		if n := len(r.s.Records("airtable", "Contacts")); n != 0 {
			t.Errorf("records after reset: want none, got %d", n)
		}
	})
	t.Run("requests and counts are kept without queries", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		r.do("GET", "/hubspot/crm/v3/objects/contacts?hapikey=secret", "").ok(200)
		r.do("GET", "/airtable/v0/appAAAAAAAAAAAAAA/Nosuch", "").ok(403)
		got := r.do("GET", "/_/requests?crm=hubspot", "").ok(200)
		got.want("0.crm", "hubspot").want("0.method", "GET").want("0.path", "/crm/v3/objects/contacts").want("0.status", 200)
		if strings.Contains(got.text, "secret") {
			t.Errorf("the query was kept: %s", got.text)
		}
		r.do("GET", "/_/stats", "").ok(200).want("airtable.403", 1).want("hubspot.200", 1)
		if n := len(r.s.Requests("")); n != 2 {
			t.Errorf("requests: want 2, got %d", n)
		}
	})
}

func TestFaults(t *testing.T) {
	t.Parallel()
	const path = "/hubspot/crm/objects/2026-09/contacts"
	t.Run("a status fault counts down, and the call is not applied", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		r.do("POST", "/_/faults", `[{"crm":"hubspot","path":"/contacts","status":429,"times":2,"retry_after":7}]`).ok(200)
		got := r.do("POST", path, `{"properties":{"email":"a@example.com"}}`).ok(429).want("policyName", "TEN_SECONDLY_ROLLING")
		if got.header.Get("Retry-After") != "7" {
			t.Errorf("Retry-After: want 7, got %q", got.header.Get("Retry-After"))
		}
		r.do("GET", "/hubspot/crm/objects/2026-09/calls", "").ok(200)
		r.do("GET", "/_/faults", "").ok(200).want("0.times", 1)
		r.do("GET", path, "").ok(429)
		r.do("GET", path, "").ok(200)
		if n := len(r.s.Records("hubspot", "contacts")); n != 0 {
			t.Errorf("records: want none, got %d", n)
		}
	})
	t.Run("statuses queue up in the order of the list", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		r.do("POST", "/_/faults", `[{"crm":"hubspot","status":500,"times":1},{"crm":"hubspot","status":502,"times":1}]`).ok(200)
		r.do("GET", path, "").ok(500).want("category", "INTERNAL_ERROR")
		r.do("GET", path, "").ok(502).contains("<html>")
		r.do("GET", path, "").ok(200)
	})
	t.Run("faults are checked and can be cleared", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		for _, bad := range []string{`{`, `[{"crm":"hubspot"}]`, `[{"status":200}]`, `[{"status":500,"rate":2}]`, `[{"status":500,"nosuch":1}]`,
			`[{"crm":"nosuch","status":500}]`, `[{"status":500,"rate":0.5,"times":1}]`, `[null]`} {
			if got := r.do("POST", "/_/faults", bad).ok(400); got.str("error") == "" {
				t.Errorf("%s: want an error, got %s", bad, got.text)
			}
		}
		r.do("POST", "/_/faults", `{"status":500,"rate":1}`).ok(200)
		r.do("GET", path, "").ok(500)
		r.do("DELETE", "/_/faults", "").ok(204)
		r.do("GET", path, "").ok(200)
	})
	t.Run("a body of one's own replaces the vendor's", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		r.do("POST", "/_/faults", `[{"crm":"airtable","status":429,"body":"PUBLIC_API_BILLING_LIMIT_EXCEEDED","times":1},
			{"crm":"airtable","status":503,"body":{"x":1},"times":1},{"crm":"airtable","status":503,"body":"<p>down</p>","times":1}]`).ok(200)
		const list = "/airtable/v0/appAAAAAAAAAAAAAA/Contacts"
		r.do("GET", list, "").ok(429).want("errors.0.error", "PUBLIC_API_BILLING_LIMIT_EXCEEDED")
		r.do("GET", list, "").ok(503).want("x", 1)
		if got := r.do("GET", list, "").ok(503).header.Get("Content-Type"); !strings.HasPrefix(got, "text/html") {
			t.Errorf("content type: got %q", got)
		}
	})
	t.Run("partial fails one traced input and keeps the others", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		r.do("POST", "/_/faults", `[{"crm":"hubspot","partial":true,"times":1}]`).ok(200)
		r.do("GET", path, "").ok(200) // no batch: the fault waits
		got := r.do("POST", path+"/batch/create", `{"inputs":[{"objectWriteTraceId":"1","properties":{"email":"a@example.com"}},
			{"objectWriteTraceId":"2","properties":{"email":"b@example.com"}}]}`).ok(207)
		got.want("numErrors", 1).want("errors.0.context.objectWriteTraceId.0", "2").want("results.0.objectWriteTraceId", "1")
		if n := len(r.s.Records("hubspot", "contacts")); n != 1 {
			t.Errorf("records: want 1, got %d", n)
		}
	})
}

func TestFaultsOnTheWire(t *testing.T) {
	t.Parallel()
	s := New(Options{Unlimited: true})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	post := func(path, body string) (*http.Response, error) {
		req, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer t")
		req.Header.Set("Content-Type", "application/json")
		resp, err := server.Client().Do(req)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		return resp, err
	}
	if _, err := post("/_/faults", `[{"crm":"hubspot","lost_reply":true,"times":1},{"crm":"telli","latency_ms":30,"times":1}]`); err != nil {
		t.Fatal(err)
	}
	if _, err := post("/hubspot/crm/v3/objects/contacts", `{"properties":{"email":"a@example.com"}}`); err == nil {
		t.Error("lost reply: want an error, got an answer")
	}
	if n := len(s.Records("hubspot", "contacts")); n != 1 {
		t.Errorf("lost reply: the write must have been applied: want 1 record, got %d", n)
	}
	if got := s.Requests("hubspot"); len(got) != 1 || got[0].Status != 0 {
		t.Errorf("lost reply: want one request with status 0, got %+v", got)
	}
	start := time.Now()
	if _, err := post("/telli/v1/nosuch", ""); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 30*time.Millisecond {
		t.Errorf("latency: want at least 30ms, got %v", took)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				for _, path := range []string{"/hubspot/crm/v3/objects/contacts", "/airtable/v0/appAAAAAAAAAAAAAA/Contacts", "/telli/v2/contacts", "/_/stats", "/_/records/hubspot/contacts"} {
					req := httptest.NewRequest("GET", path, nil)
					req.Header.Set("Authorization", "Bearer t")
					r.s.ServeHTTP(httptest.NewRecorder(), req)
				}
				req := httptest.NewRequest("POST", "/hubspot/crm/v3/objects/contacts", strings.NewReader(`{"properties":{"firstname":"x"}}`))
				req.Header.Set("Authorization", "Bearer t")
				req.Header.Set("Content-Type", "application/json")
				r.s.ServeHTTP(httptest.NewRecorder(), req)
			}
		})
	}
	wg.Wait()
	if n := len(r.s.Records("hubspot", "contacts")); n != 160 {
		t.Errorf("records: want 160, got %d", n)
	}
}
