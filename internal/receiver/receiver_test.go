package receiver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/time/rate"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/receiver"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

const (
	secret      = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	otherSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// signed is a source with standard signatures and a simple payload.
type signed struct{ *sources.StandardWebhooks }

func (s signed) Authenticate(r *sources.Request) error { return s.Verify(r.Header, r.Body, r.At) }

func (s signed) Parse(r *sources.Request) sources.Parsed {
	p := sources.Parsed{Event: &event.Event{Type: event.Unknown}, DeliveryID: s.MessageID(r.Header)}
	doc, err := sources.ReadJSON(r.Body)
	switch {
	case err != nil:
		p.Problem = err.Error()
	case doc.Get("panic").True():
		panic(doc.Get("panic"))
	case doc.Get("event").Text() == "call_ended":
		p.Event.Type, p.ContentKey = event.CallEnded, "test:"+doc.Get("id").Text()
		p.Event.Contact = &event.Contact{ID: doc.Get("contact").Text()}
	}
	return p
}

// unsigned proves nothing by itself.
type unsigned struct{}

func (unsigned) Authenticate(*sources.Request) error { return nil }

func (unsigned) Parse(*sources.Request) sources.Parsed { return sources.Parsed{} }

// ledger keeps events in memory.
type ledger struct {
	mu     sync.Mutex
	events []store.Event
	err    error
}

func (l *ledger) append(_ context.Context, e store.Event) (store.Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return store.Receipt{}, l.err
	}
	for i, old := range l.events {
		if old.DeliveryID == e.DeliveryID && e.DeliveryID != "" {
			return store.Receipt{Seq: uint64(i + 1), Duplicate: true}, nil
		}
	}
	l.events = append(l.events, e)
	return store.Receipt{Seq: uint64(len(l.events))}, nil
}

func (l *ledger) kept() []store.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.events
}

type bench struct {
	*httptest.Server
	ledger *ledger
	log    *lines
	seen   chan string // source result reason
}

// lines is a log that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newBench(t testing.TB, change func(*receiver.Options)) *bench {
	t.Helper()
	s, err := sources.NewStandardWebhooks([]string{secret})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := sources.NewGuard([]string{"t0ken"}, "", []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32")})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{ledger: &ledger{}, log: &lines{}, seen: make(chan string, 1000)}
	all := map[string]receiver.Source{
		"telli":  {Name: "telli", Vendor: "telli", Source: signed{s}},
		"small":  {Name: "small", Vendor: "telli", Source: signed{s}, MaxBody: 100},
		"agents": {Name: "agents", Vendor: "sipgate", Source: unsigned{}, Guard: guard},
		"rated":  {Name: "rated", Vendor: "telli", Source: signed{s}, Rate: rate.NewLimiter(0, 1)},
	}
	o := receiver.Options{
		Sources:        func() map[string]receiver.Source { return all },
		Append:         b.ledger.append,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")},
		Log:            slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Observe:        func(source, result, reason string, _ time.Duration) { b.seen <- source + " " + result + " " + reason },
		Limits:         receiver.Limits{Body: 64 << 10},
	}
	if change != nil {
		change(&o)
	}
	b.Server = httptest.NewUnstartedServer(nil)
	b.Config = receiver.Server(receiver.New(o), o.Limits)
	b.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	b.Listener = receiver.Listen(b.Listener, o.Limits, nil, nil)
	b.Start()
	t.Cleanup(b.Close)
	return b
}

// sign signs body under id with a secret, as sent at that time.
func sign(t testing.TB, h http.Header, key, id, body string, at time.Time) {
	t.Helper()
	s, err := sources.NewStandardWebhooks([]string{key})
	if err != nil {
		t.Fatal(err)
	}
	s.Sign(h, id, at, []byte(body))
}

// post sends a request and returns the answer as "status body".
func (b *bench) do(t testing.TB, method, path, body string, h http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, b.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = h
	res, err := b.Client().Transport.RoundTrip(req) // follows no redirect
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) && method != http.MethodHead {
		t.Errorf("the answer is no JSON: %q", text)
	}
	return res, strings.TrimSpace(string(text))
}

func TestHook(t *testing.T) {
	t.Parallel()
	const good = `{"event":"call_ended","id":"1","contact":"k1"}`
	const ok, unauthentic = `{"status":"accepted","event_id":"evt_1"}`, `{"error":"not authentic"}`
	quarantined := `{"status":"quarantined","event_id":"evt_1"}`
	for _, c := range []struct {
		name    string
		method  string // POST
		path    string // /hooks/telli
		body    string // good
		unset   bool   // no body
		key     string // secret
		age     time.Duration
		header  http.Header
		without string // header taken out
		after   func(http.Header)
		status  int
		answer  string
		seen    string
		kept    int
	}{
		{name: "a signed call", status: 200, answer: ok, seen: "telli accepted ", kept: 1},
		{name: "an unknown event", body: `{"event":"new"}`, status: 200, answer: `{"status":"unknown","event_id":"evt_1"}`, seen: "telli unknown ", kept: 1},
		{name: "not JSON", body: `hello`, status: 200, answer: quarantined, seen: "telli quarantined ", kept: 1},
		{name: "an empty body", unset: true, status: 200, answer: quarantined, seen: "telli quarantined ", kept: 1},
		{name: "null", body: `null`, status: 200, answer: `{"status":"unknown","event_id":"evt_1"}`, seen: "telli unknown ", kept: 1},
		{name: "deep nesting", body: strings.Repeat("[", 60_000), status: 200, answer: quarantined, seen: "telli quarantined ", kept: 1},
		{name: "duplicate keys", body: `{"event":"call_ended","Event":"x"}`, status: 200, answer: quarantined, seen: "telli quarantined ", kept: 1},
		{name: "invalid UTF-8", body: "{\"event\":\"\xff\"}", status: 200, answer: quarantined, seen: "telli quarantined ", kept: 1},
		{name: "a payload that makes the parser panic", body: `{"panic":true}`, status: 200, answer: quarantined, seen: "telli quarantined ", kept: 1},

		{name: "no signature", without: "Svix-Signature", status: 401, answer: unauthentic, seen: "telli refused no_signature"},
		{name: "an old timestamp", age: 5*time.Minute + 2*time.Second, status: 401, answer: unauthentic, seen: "telli refused old_timestamp"},
		{name: "a timestamp ahead", age: -5*time.Minute - 2*time.Second, status: 401, answer: unauthentic, seen: "telli refused future_timestamp"},
		{name: "another secret", key: otherSecret, status: 401, answer: unauthentic, seen: "telli refused bad_signature"},
		{name: "no signature and not JSON", body: "hello", without: "Svix-Signature", status: 401, answer: unauthentic, seen: "telli refused no_signature"},
		{name: "two ids", after: func(h http.Header) { h["Svix-Id"] = []string{"a", "b"} }, status: 401, answer: unauthentic, seen: "telli refused repeated_header"},

		{name: "a body over the limit", body: strings.Repeat(" ", 64<<10+1), status: 413, answer: `{"error":"body too large"}`, seen: "telli refused too_large"},
		{name: "a body at the limit", body: strings.Repeat(" ", 64<<10), status: 200, answer: quarantined, seen: "telli quarantined ", kept: 1},
		{name: "a body over the source's limit", path: "/hooks/small", body: strings.Repeat(" ", 101), status: 413, answer: `{"error":"body too large"}`, seen: "small refused too_large"},

		{name: "GET", method: "GET", status: 405, answer: `{"error":"method not allowed"}`, seen: "telli refused method"},
		{name: "PUT", method: "PUT", status: 405, answer: `{"error":"method not allowed"}`, seen: "telli refused method"},
		{name: "OPTIONS", method: "OPTIONS", status: 405, answer: `{"error":"method not allowed"}`, seen: "telli refused method"},
		{name: "TRACE", method: "TRACE", unset: true, status: 405, answer: `{"error":"method not allowed"}`, seen: "telli refused method"},
		{name: "a form", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, status: 415, answer: `{"error":"content type not supported, send application/json"}`, seen: "telli refused content_type"},
		{name: "a broken content type", header: http.Header{"Content-Type": {"json"}}, status: 415, answer: `{"error":"content type not supported, send application/json"}`, seen: "telli refused content_type"},
		{name: "JSON with a charset", header: http.Header{"Content-Type": {"Application/JSON; charset=UTF-8"}}, status: 200, answer: ok, seen: "telli accepted ", kept: 1},
		{name: "a kind of JSON", header: http.Header{"Content-Type": {"application/cloudevents+json"}}, status: 200, answer: ok, seen: "telli accepted ", kept: 1},
		{name: "no content type", header: http.Header{}, status: 200, answer: ok, seen: "telli accepted ", kept: 1},
		{name: "gzip", header: http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, status: 415, answer: `{"error":"content encoding not supported"}`, seen: "telli refused content_encoding"},

		{name: "an unknown source", path: "/hooks/nobody", status: 404, answer: `{"error":"not found"}`, seen: " refused not_found"},
		{name: "a path with two slashes", path: "//hooks/telli", status: 404, answer: `{"error":"not found"}`, seen: " refused not_found"},
		{name: "a path with dots", path: "/hooks/../hooks/telli", status: 404, answer: `{"error":"not found"}`, seen: " refused not_found"},
		{name: "a path with escaped dots", path: "/hooks/%2e%2e%2ftelli", status: 404, answer: `{"error":"not found"}`, seen: " refused not_found"},
		{name: "a trailing slash", path: "/hooks/telli/", status: 404, answer: `{"error":"not found"}`, seen: " refused not_found"},
		{name: "a token where none belongs", path: "/hooks/telli/x", status: 404, answer: `{"error":"not found"}`, seen: " refused not_found"},
		{name: "the admin side's paths", path: "/metrics", method: "GET", status: 404, answer: `{"error":"not found"}`, seen: " refused not_found"},
		{name: "the root", path: "/", method: "GET", status: 404, answer: `{"error":"not found"}`, seen: " refused not_found"},

		{name: "a token through a proxy", path: "/hooks/agents/t0ken", header: http.Header{"X-Forwarded-For": {"203.0.113.9", "192.0.2.7, 10.1.1.1"}}, status: 200, answer: `{"status":"unknown","event_id":"evt_1"}`, seen: "agents unknown ", kept: 1},
		{name: "a mapped address with a port", path: "/hooks/agents/t0ken", header: http.Header{"X-Forwarded-For": {"[::ffff:192.0.2.7]:4711"}}, status: 200, answer: `{"status":"unknown","event_id":"evt_1"}`, seen: "agents unknown ", kept: 1},
		{name: "an address that the sender made up", path: "/hooks/agents/t0ken", header: http.Header{"X-Forwarded-For": {"192.0.2.7, 203.0.113.9"}, "X-Real-Ip": {"192.0.2.7"}}, status: 403, answer: `{"error":"address not allowed"}`, seen: "agents refused address"},
		{name: "a wrong token", path: "/hooks/agents/other", header: http.Header{"X-Forwarded-For": {"192.0.2.7"}}, status: 401, answer: unauthentic, seen: "agents refused wrong_token"},
		{name: "no token", path: "/hooks/agents", header: http.Header{"X-Forwarded-For": {"192.0.2.7"}}, status: 401, answer: unauthentic, seen: "agents refused no_token"},
		{name: "two tokens", path: "/hooks/agents/t0ken/x", header: http.Header{"X-Forwarded-For": {"192.0.2.7"}}, status: 404, answer: `{"error":"not found"}`, seen: " refused not_found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			body := c.body
			if body == "" && !c.unset {
				body = good
			}
			h := http.Header{"Content-Type": {"application/json"}}
			if c.header != nil {
				h = c.header
			}
			key := secret
			if c.key != "" {
				key = c.key
			}
			sign(t, h, key, "msg_1", body, time.Now().Add(-c.age))
			if c.without != "" {
				h.Del(c.without)
			}
			if c.after != nil {
				c.after(h)
			}
			res, answer := b.do(t, first(c.method, http.MethodPost), first(c.path, "/hooks/telli"), body, h)
			if res.StatusCode != c.status || answer != c.answer {
				t.Errorf("got %d %s\nwant %d %s", res.StatusCode, answer, c.status, c.answer)
			}
			if got := <-b.seen; got != c.seen {
				t.Errorf("observed %q, want %q", got, c.seen)
			}
			if got := len(b.ledger.kept()); got != c.kept {
				t.Errorf("%d events kept, want %d", got, c.kept)
			}
			if c.status == 405 && res.Header.Get("Allow") != "POST" {
				t.Errorf("Allow is %q", res.Header.Get("Allow"))
			}
			if c.status == 200 && !bytes.Equal(b.ledger.kept()[0].Body, []byte(body)) {
				t.Error("the body was not kept as it came")
			}
		})
	}
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func TestHealthIsAllThatIsShown(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	if res, body := b.do(t, "GET", "/healthz", "", http.Header{}); res.StatusCode != 200 || body != `{"status":"ok"}` {
		t.Errorf("GET: %d %s", res.StatusCode, body)
	}
	if res, _ := b.do(t, "HEAD", "/healthz", "", http.Header{}); res.StatusCode != 200 {
		t.Errorf("HEAD: %d", res.StatusCode)
	}
	if res, _ := b.do(t, "POST", "/healthz", "", http.Header{}); res.StatusCode != 405 || res.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, Allow %q", res.StatusCode, res.Header.Get("Allow"))
	}
}

func (b *bench) call(t testing.TB, id string) (*http.Response, string) {
	t.Helper()
	body := `{"event":"call_ended","id":"` + id + `","contact":"k1"}`
	h := http.Header{"Content-Type": {"application/json"}}
	sign(t, h, secret, "msg_"+id, body, time.Now())
	return b.do(t, "POST", "/hooks/telli", body, h)
}

func TestStoredEvent(t *testing.T) {
	t.Parallel()
	at := time.Now().UTC().Truncate(time.Microsecond)
	b := newBench(t, func(o *receiver.Options) { o.Now = func() time.Time { return at } })
	b.call(t, "1")
	if _, body := b.call(t, "1"); body != `{"status":"duplicate","event_id":"evt_1"}` {
		t.Errorf("a retry is answered %s", body)
	}
	got := b.ledger.kept()[0]
	got.Body = nil
	want := store.Event{
		Source: "telli", Vendor: "telli", Type: event.CallEnded, Origin: event.Webhook, OccurredAt: at, ReceivedAt: at, Rank: 60,
		Lane: "telli:contact:k1", DeliveryID: "msg_1", ContentKey: "test:1", ContentType: "application/json",
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestStoredBoundsWhatBecomesAKey(t *testing.T) {
	t.Parallel()
	r := &sources.Request{At: time.Now(), Header: http.Header{}, Body: []byte("x")}
	keep := func(id string) store.Event {
		p := sources.Parsed{Event: &event.Event{Contact: &event.Contact{ID: id}}, DeliveryID: id, ContentKey: "v:" + id}
		return receiver.Stored("s", "v", event.Webhook, r, p)
	}
	for _, id := range []string{strings.Repeat("ä", 5<<20), "a\x00b", "a\xffb", ""} {
		e := keep(id)
		for _, key := range []string{e.Lane, e.DeliveryID, e.ContentKey} {
			if len(key) > 200 || (strings.Contains(key, "\x00") || !utf8.ValidString(key)) {
				t.Errorf("%.20q: key of %d bytes: %.80q", id, len(key), key)
			}
		}
		if e.Lane == "" {
			t.Errorf("%.20q: no lane", id)
		}
	}
	if keep("a\x00b").Lane == keep("a\x00c").Lane {
		t.Error("two contacts share a lane")
	}
	if e := keep("k1"); e.Lane != "s:contact:k1" || e.DeliveryID != "k1" {
		t.Errorf("a plain id was changed: %+v", e)
	}
}

func TestLedgerTroubleAsksTheSenderToComeAgain(t *testing.T) {
	t.Parallel()
	hang := func(ctx context.Context, _ store.Event) (store.Receipt, error) {
		<-ctx.Done()
		return store.Receipt{}, ctx.Err()
	}
	fail := func(err error) func(context.Context, store.Event) (store.Receipt, error) {
		return func(context.Context, store.Event) (store.Receipt, error) { return store.Receipt{}, err }
	}
	for _, c := range []struct {
		name   string
		append func(context.Context, store.Event) (store.Receipt, error)
		seen   string
		after  string
	}{
		{"a slow disk", hang, "telli failed store_time", "5"},
		{"a full disk", fail(fmt.Errorf("append: %w", store.ErrFull)), "telli failed disk_full", "60"},
		{"a broken ledger", fail(store.ErrBroken), "telli failed store", "10"},
		{"a panic", func(context.Context, store.Event) (store.Receipt, error) { panic("hunter2") }, "telli failed panic", "30"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(o *receiver.Options) { o.Append, o.Limits.StoreTime = c.append, 50*time.Millisecond })
			res, body := b.call(t, "1")
			if res.StatusCode != 503 || body != `{"error":"try again later"}` || res.Header.Get("Retry-After") != c.after {
				t.Errorf("got %d %s, Retry-After %q", res.StatusCode, body, res.Header.Get("Retry-After"))
			}
			if got := <-b.seen; got != c.seen {
				t.Errorf("observed %q, want %q", got, c.seen)
			}
			if !strings.Contains(b.log.String(), "level=ERROR") || strings.Contains(b.log.String(), "hunter2") {
				t.Errorf("log: %s", b.log)
			}
		})
	}
}

func TestTooManyInFlight(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan bool), make(chan bool)
	b := newBench(t, func(o *receiver.Options) {
		o.Limits.InFlight = 1
		o.Append = func(context.Context, store.Event) (store.Receipt, error) {
			entered <- true
			<-leave
			return store.Receipt{Seq: 9}, nil
		}
	})
	done := make(chan string)
	go func() {
		_, body := b.call(t, "1")
		done <- body
	}()
	<-entered
	if res, _ := b.call(t, "2"); res.StatusCode != 503 || res.Header.Get("Retry-After") != "1" {
		t.Errorf("the second one: %d", res.StatusCode)
	}
	close(leave)
	if body := <-done; body != `{"status":"accepted","event_id":"evt_9"}` {
		t.Errorf("the first one: %s", body)
	}
}

func TestBodiesShareBoundedMemory(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *receiver.Options) { o.Limits.Buffered = 10 << 10 })
	h := http.Header{"Content-Type": {"application/json"}}
	body := strings.Repeat(" ", 20<<10)
	sign(t, h, secret, "msg_1", body, time.Now())
	if res, _ := b.do(t, "POST", "/hooks/telli", body, h); res.StatusCode != 503 {
		t.Errorf("got %d", res.StatusCode)
	}
	if res, _ := b.call(t, "1"); res.StatusCode != 200 {
		t.Errorf("the memory was not given back: %d", res.StatusCode)
	}
}

func TestRateCountsOnlyAuthenticRequests(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	post := func(key, id string) (*http.Response, string) {
		h := http.Header{"Content-Type": {"application/json"}}
		sign(t, h, key, id, "{}", time.Now())
		return b.do(t, "POST", "/hooks/rated", "{}", h)
	}
	for i, want := range []int{401, 200, 429} {
		key := secret
		if want == 401 {
			key = otherSecret
		}
		if res, _ := post(key, fmt.Sprint("msg_", i)); res.StatusCode != want {
			t.Errorf("request %d: got %d, want %d", i, res.StatusCode, want)
		}
	}
}

func TestRefusalsAreLoggedOnceAMinuteAndQuoteNothing(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Now()
	b := newBench(t, func(o *receiver.Options) {
		o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	post := func() {
		h := http.Header{"Content-Type": {"application/json"}}
		sign(t, h, otherSecret, "msg_private", `{"phone":"+493023125017"}`, now)
		b.do(t, "POST", "/hooks/telli", `{"phone":"+493023125017"}`, h)
		<-b.seen
	}
	for range 5 {
		post()
	}
	mu.Lock()
	now = now.Add(2 * time.Minute)
	mu.Unlock()
	post()
	b.do(t, "POST", "/hook/telli/", "{}", http.Header{})
	<-b.seen
	b.Close() // the log is written after the answer
	log := b.log.String()
	if n := strings.Count(log, "reason=bad_signature"); n != 2 {
		t.Errorf("%d lines, want 2:\n%s", n, log)
	}
	for _, part := range []string{"level=WARN", "source=telli", "since_last_line=4", "fits no key", "belong to /hooks/telli"} {
		if !strings.Contains(log, part) {
			t.Errorf("%q is missing in\n%s", part, log)
		}
	}
	for _, private := range []string{"+4930", "msg_private", "v1,"} {
		if strings.Contains(log, private) {
			t.Errorf("%q is in the log:\n%s", private, log)
		}
	}
}

func TestErrorsOfTheLedgerAreNotShownToSenders(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.ledger.err = errors.New("disk /var/lib/x is odd")
	if _, body := b.call(t, "1"); strings.Contains(body, "disk") {
		t.Errorf("the answer tells: %s", body)
	}
}

func TestForwardedAddressesOfStrangersAreNotBelieved(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *receiver.Options) { o.TrustedProxies = nil })
	if res, _ := b.do(t, "POST", "/hooks/agents/t0ken", "{}", http.Header{"X-Forwarded-For": {"192.0.2.7"}}); res.StatusCode != 403 {
		t.Errorf("got %d, want 403", res.StatusCode)
	}
}

// asked is a source whose vendor is told the address to come back to.
type asked struct{ unsigned }

func (asked) Answer(r *sources.Request) (contentType string, body []byte) {
	text, _ := json.Marshal(map[string]string{"address": r.URL.String(), "token": r.Token})
	return "application/json", text
}

// takesForms also takes forms.
type takesForms struct{ unsigned }

func (takesForms) Takes(mediaType string) bool { return mediaType == sources.FormType }

func TestAnAnswerHoldsTheTokenThatTheRequestShowed(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *receiver.Options) {
		guard, err := sources.NewGuard([]string{"n3w", "t0ken%"}, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		all := o.Sources()
		all["asked"] = receiver.Source{Name: "asked", Vendor: "sipgate", Source: asked{}, Guard: guard}
		o.PublicURL = &url.URL{Scheme: "https", Host: "hooks.example.com", Path: "/in"}
	})
	const want = `{"address":"https://hooks.example.com/in/hooks/asked/t0ken%25","token":"t0ken%"}`
	for path, h := range map[string]http.Header{
		"/hooks/asked/t0ken%25": {},
		"/hooks/asked":          {"X-Token": {"t0ken%"}},
	} {
		h.Set("Content-Type", "application/json")
		if res, got := b.do(t, "POST", path, "{}", h); res.StatusCode != 200 || got != want {
			t.Errorf("%s: got %d %s, want %s", path, res.StatusCode, got, want)
		}
	}
	if res, _ := b.do(t, "POST", "/hooks/asked/other", "{}", http.Header{"X-Token": {"n3w"}}); res.StatusCode != 401 {
		t.Errorf("a wrong token in the path with a right one in a header: got %d, want 401", res.StatusCode)
	}
}

func TestARefusedTypeIsToldWhatIsTaken(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *receiver.Options) {
		o.Sources()["forms"] = receiver.Source{Name: "forms", Vendor: "sipgate", Source: takesForms{}}
	})
	for name, want := range map[string]string{
		"telli": `{"error":"content type not supported, send application/json"}`,
		"forms": `{"error":"content type not supported, send application/json or application/x-www-form-urlencoded"}`,
	} {
		if res, got := b.do(t, "POST", "/hooks/"+name, "x", http.Header{"Content-Type": {"text/plain"}}); res.StatusCode != 415 || got != want {
			t.Errorf("%s: got %d %s, want %s", name, res.StatusCode, got, want)
		}
	}
}
