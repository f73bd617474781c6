package web_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/doctor"
	"github.com/crmsyncd/crmsyncd/internal/web"
	"github.com/crmsyncd/crmsyncd/store"
)

// hostile is what somebody may be called.
const hostile = `"'><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}` + "\x00\u202e"

// desk knows what the test put in and notes what it is told to do.
type desk struct {
	status     admin.Status
	event      admin.Event
	deliveries []admin.Delivery
	audits     []store.Audit
	runs       []store.Run
	report     admin.RunReport
	previews   []admin.Preview
	err        error
	noteErr    error

	did    []string          // orders, with who gave them
	events store.EventFilter // asked for last
}

func (d *desk) note(ctx context.Context, what ...string) error {
	d.did = append(d.did, admin.VisitorOf(ctx).Name+": "+strings.Join(what, " "))
	return d.err
}

func (d *desk) Status(context.Context) (admin.Status, error) { return d.status, d.err }
func (d *desk) Events(_ context.Context, f store.EventFilter) ([]admin.Event, error) {
	d.events = f
	return slices.Repeat([]admin.Event{d.event}, 50), d.err
}
func (d *desk) Event(context.Context, uint64) (admin.Event, error) { return d.event, d.err }
func (d *desk) Deliveries(context.Context, store.DeliveryFilter) ([]admin.Delivery, error) {
	return d.deliveries, d.err
}

func (d *desk) Replay(ctx context.Context, seqs []uint64) (int, error) {
	return len(seqs), d.note(ctx, "replay", store.EventID(seqs[0]))
}

func (d *desk) Retry(ctx context.Context, ids []store.DeliveryID) (int, error) {
	return len(ids), d.note(ctx, "retry", ids[0].String())
}

func (d *desk) Discard(ctx context.Context, ids []store.DeliveryID, reason string) (int, error) {
	return len(ids), d.note(ctx, "discard", ids[0].String(), reason)
}

func (d *desk) DiscardEvents(ctx context.Context, seqs []uint64, reason string) (int, error) {
	return len(seqs), d.note(ctx, "set aside", store.EventID(seqs[0]), reason)
}

func (d *desk) Audits(context.Context, store.AuditFilter) ([]store.Audit, error) {
	return d.audits, d.err
}
func (d *desk) Preview(context.Context, []uint64) ([]admin.Preview, error) { return d.previews, d.err }
func (d *desk) Runs(context.Context, store.RunFilter) ([]store.Run, error) { return d.runs, d.err }
func (d *desk) Findings(context.Context, uint64) (admin.RunReport, error)  { return d.report, d.err }
func (d *desk) Note(ctx context.Context, what string, on []string) error {
	if d.noteErr != nil {
		return d.noteErr
	}
	return d.note(ctx, append([]string{what}, on...)...)
}

// fill puts hostile text into every string of a value, one entry into every list
// and map, and a time into every time.
func fill(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Date(2026, 3, 4, 9, 30, 0, 0, time.UTC)))
		return
	case !v.CanSet():
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(hostile)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Interface:
		if v.NumMethod() == 0 {
			v.Set(reflect.ValueOf(hostile))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.Set(reflect.ValueOf([]byte(`{"a":"<script>alert(3)</script>"}`)).Convert(v.Type()))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	}
}

// evil is a desk of which everything is hostile.
func evil() *desk {
	d := &desk{}
	for _, x := range []any{&d.status, &d.event, &d.deliveries, &d.audits, &d.runs, &d.report, &d.previews} {
		fill(reflect.ValueOf(x).Elem())
	}
	d.deliveries[0].Event, d.deliveries[0].State = "evt_7", store.Dead
	return d
}

// pages are the addresses of all pages.
var pages = []string{
	"/", "/events", "/events?state=dead&source=x&type=call.ended&since=2h&until=2026-03-04", "/events/evt_7", "/events?id=evt_7", "/deliveries", "/deliveries?state=waiting&connector=x",
	"/reconcile", "/reconcile/1", "/audit", "/login?to=/events",
	"/deliveries/retry?id=evt_7.x", "/deliveries/discard?id=evt_7.x", "/events/replay?id=evt_7", "/events/discard?id=evt_7",
	"/events/evt_7?did=events/replay&n=1",
}

var operator = admin.Visitor{Name: hostile, Role: admin.Operate, Signed: true, Form: "f"}

// get shows a page to a visitor.
func get(p *web.Pages, v admin.Visitor, method, address string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, address, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_ = r.PostFormValue("form") // the gate has read it
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r.WithContext(admin.WithVisitor(r.Context(), v)))
	return w
}

func judge(admin.Status) []doctor.Finding {
	return []doctor.Finding{{About: hostile, State: doctor.Fail, What: hostile, Mend: hostile}}
}

var (
	script  = regexp.MustCompile(`(?i)<script`)
	quoted  = regexp.MustCompile(`"[^"]*"`)
	handler = regexp.MustCompile(`(?i)<[^>]*\son\w+\s*=`)
	inline  = regexp.MustCompile(`(?i)<style|\sstyle\s*=|javascript:`)
	remote  = regexp.MustCompile(`(?i)(src|href|action)="(https?:)?//`)
)

func TestNothingThatIsShownIsTakenForHTML(t *testing.T) {
	t.Parallel()
	p := web.New(evil(), judge)
	for _, address := range append(pages, "/events/x", "/nothing/"+url.PathEscape(hostile), "/events?state="+url.QueryEscape(hostile), "/events?since="+url.QueryEscape(hostile), "/login?to="+url.QueryEscape(hostile)) {
		check(t, address, get(p, operator, "GET", address, nil))
	}
	for _, o := range []string{"/deliveries/retry", "/events/evt_7/values", "/deliveries/discard"} {
		check(t, "POST "+o, get(p, operator, "POST", o, url.Values{"id": {hostile}, "reason": {hostile}}))
	}
	w := httptest.NewRecorder()
	p.Refuse(w, httptest.NewRequest("GET", "/events?x="+url.QueryEscape(hostile), nil), 401, hostile)
	check(t, "refused", w)
}

func check(t *testing.T, address string, w *httptest.ResponseRecorder) {
	t.Helper()
	text := w.Body.String()
	if n := len(script.FindAllString(text, -1)); n != 1 {
		t.Errorf("%s: %d scripts, want our own alone:\n%s", address, n, text)
	}
	for never, within := range map[*regexp.Regexp]string{handler: quoted.ReplaceAllString(text, `""`), inline: text, remote: text} {
		if found := never.FindString(within); found != "" {
			t.Errorf("%s: the page has %q", address, found)
		}
	}
	if strings.Contains(text, "{{") && !strings.Contains(text, "{{.}}") || strings.Contains(text, "could not be made") {
		t.Errorf("%s: the template did not run:\n%s", address, text)
	}
	for name, want := range map[string]string{
		"Content-Type":            "text/html; charset=utf-8",
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %s is %q, want %q", address, name, got, want)
		}
	}
}

func TestEveryPageIsShown(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]*desk{"full": evil(), "empty": {}} {
		p := web.New(d, nil)
		for _, address := range pages {
			w := get(p, operator, "GET", address, nil)
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "</html>") {
				t.Errorf("%s: %s: %d\n%s", name, address, w.Code, w.Body)
			}
			if text := w.Body.String(); !strings.Contains(text, `<html lang="en">`) || !strings.Contains(text, `name="viewport"`) || strings.Count(text, "<h1") != 1 {
				t.Errorf("%s: %s has no language, viewport or heading", name, address)
			}
		}
	}
}

func TestAnErrorIsAPage(t *testing.T) {
	t.Parallel()
	p := web.New(&desk{err: store.ErrNotFound}, nil)
	for address, want := range map[string]int{
		"/nothing": 404, "/events/evt_9": 404, "/events/none": 400, "/reconcile/x": 400, "/reconcile/9": 404, "/audit?before=x": 400, "/events?before=x": 400,
		"/events?state=none": 400, "/events?since=whenever": 400, "/deliveries?state=none": 400, "/deliveries/retry": 400, "/deliveries/retry?id=x": 400, "/events/replay?id=x.y": 400,
		"/reconcile/1?from=-1": 400, "/events?type=none": 400,
	} {
		if w := get(p, operator, "GET", address, nil); w.Code != want || !strings.Contains(w.Body.String(), "</html>") {
			t.Errorf("%s: %d, want %d", address, w.Code, want)
		}
	}
	if w := get(p, operator, "DELETE", "/events", nil); w.Code != 405 {
		t.Errorf("DELETE: %d, want 405", w.Code)
	}
	for file, want := range map[string]int{"page.css": 200, "page.js": 200, "icon.svg": 200, "none.js": 404, "..%2fpages%2flayout.html": 404} {
		if w := get(p, operator, "GET", "/assets/"+file, nil); w.Code != want {
			t.Errorf("%s: %d, want %d", file, w.Code, want)
		}
	}
}

func TestAPageThatTakesTooLongSaysSo(t *testing.T) {
	t.Parallel()
	p := web.New(&desk{err: fmt.Errorf("read: %w", context.DeadlineExceeded)}, nil)
	if w := get(p, operator, "GET", "/events?source=x", nil); w.Code != 503 || !strings.Contains(w.Body.String(), "ask for less") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestOnlyWhatIsFoundAtOnceIsShownAnewByItself(t *testing.T) {
	t.Parallel()
	p := web.New(&desk{}, nil)
	for address, want := range map[string]bool{
		"/": true, "/events": true, "/events?source=x": false, "/events?before=evt_9": false, "/deliveries": true, "/deliveries?state=waiting&connector=x": true,
		"/deliveries?state=done": false, "/deliveries?before=evt_9": false, "/audit": false, "/reconcile": true, "/events/replay?id=evt_1": false,
	} {
		if got := strings.Contains(get(p, operator, "GET", address, nil).Body.String(), "data-live="); got != want {
			t.Errorf("%s: live is %v, want %v", address, got, want)
		}
	}
}

func TestValuesAreMaskedUntilTheAuditTrailHasWhoLooks(t *testing.T) {
	t.Parallel()
	d := evil()
	d.event.ID, d.event.State = "evt_7", store.Done
	d.event.Contact.FullName, d.event.Call.Transcript, d.event.Call.Status = "Anna Beispiel", "we spoke of horses", "completed"
	d.event.Deliveries[0].Records[0].Changes = []store.Change{{Field: "email", Before: "old@example.com", After: "new@example.com"}}
	d.event.Raw = []byte(`{"who":"Berta in the payload"}`)
	secrets := []string{"Anna Beispiel", "horses", "old@example.com", "new@example.com", "Berta"}
	p := web.New(d, nil)
	shown := func(w *httptest.ResponseRecorder) (found []string) {
		for _, s := range secrets {
			if strings.Contains(w.Body.String(), s) {
				found = append(found, s)
			}
		}
		return found
	}
	for _, address := range []string{"/events/evt_7", "/events?id=evt_7", "/events", "/events/replay?id=evt_7", "/events/evt_7?values=1&show=values"} {
		w := get(p, operator, "GET", address, nil)
		if found := shown(w); len(found) > 0 {
			t.Errorf("%s shows %q", address, found)
		}
		if address == "/events/evt_7" && !strings.Contains(w.Body.String(), "completed") {
			t.Error("what is not personal is masked, too")
		}
	}
	if len(d.did) > 0 {
		t.Errorf("a GET did %q", d.did)
	}
	w := get(p, admin.Visitor{Name: "bert", Role: admin.Read}, "POST", "/events/evt_7/values", nil)
	if found := shown(w); len(found) != len(secrets) {
		t.Errorf("of %q only %q is shown", secrets, found)
	}
	if want := "bert: events show values evt_7"; !slices.Equal(d.did, []string{want}) {
		t.Errorf("the audit trail has %q, want %q", d.did, want)
	}
	d.noteErr = store.ErrFull
	if found := shown(get(p, operator, "POST", "/events/evt_7/values", nil)); len(found) > 0 {
		t.Errorf("without the audit trail %q is shown", found)
	}
}

// TestPagesSayWhyNothingWasChanged: also of an order that came too late.
func TestPagesSayWhyNothingWasChanged(t *testing.T) {
	t.Parallel()
	p := web.New(&desk{}, nil)
	for did, want := range map[string]string{
		"deliveries/discard&n=0": "Discarded 0 deliveries: what was chosen is done or discarded.",
		"deliveries/retry&n=0":   "Retrying 0 deliveries: what was chosen is done or discarded.",
		"events/discard&n=0":     "Set aside 0 events: they go somewhere, or were set aside before.",
		"deliveries/discard&n=2": "Discarded 2 deliveries.",
	} {
		if body := get(p, operator, "GET", "/events/evt_7?did="+did, nil).Body.String(); !strings.Contains(body, want) {
			t.Errorf("%s: the page does not say %q", did, want)
		}
	}
}

func TestOrdersAreAskedBackAndGiven(t *testing.T) {
	t.Parallel()
	for path, c := range map[string]struct{ id, reason, want, to string }{
		"/deliveries/retry":   {"evt_7.hubspot", "", "anna: retry evt_7.hubspot", "/events/evt_7?did=deliveries%2Fretry&n=1"},
		"/deliveries/discard": {"evt_7.hubspot", "a test", "anna: discard evt_7.hubspot a test", "/events/evt_7?did=deliveries%2Fdiscard&n=1"},
		"/events/replay":      {"evt_7", "", "anna: replay evt_7", "/events/evt_7?did=events%2Freplay&n=1"},
		"/events/discard":     {"evt_7", "a test", "anna: set aside evt_7 a test", "/events/evt_7?did=events%2Fdiscard&n=1"},
	} {
		d := &desk{}
		p, v := web.New(d, nil), admin.Visitor{Name: "anna", Role: admin.Operate, Form: "the-form"}
		w := get(p, v, "GET", path+"?id="+c.id, nil)
		if w.Code != 200 || !strings.Contains(w.Body.String(), c.id) || !strings.Contains(w.Body.String(), "the-form") || len(d.did) > 0 {
			t.Errorf("%s: asked back with %d, did %q", path, w.Code, d.did)
		}
		for _, form := range []url.Values{{}, {"id": {"x"}, "reason": {"x"}}} {
			if w := get(p, v, "POST", path, form); w.Code != 400 || len(d.did) > 0 {
				t.Errorf("%s with %v: %d, did %q", path, form, w.Code, d.did)
			}
		}
		if c.reason != "" {
			for _, reason := range []string{"  ", "a\nb", "\x1b[2J", strings.Repeat("x", 501)} {
				if w := get(p, v, "POST", path, url.Values{"id": {c.id}, "reason": {reason}}); w.Code != 400 || len(d.did) > 0 {
					t.Errorf("%s for the reason %.20q: %d, did %q", path, reason, w.Code, d.did)
				}
			}
		}
		w = get(p, v, "POST", path, url.Values{"id": {c.id}, "reason": {c.reason}})
		if w.Code != 303 || w.Header().Get("Location") != c.to || !slices.Equal(d.did, []string{c.want}) {
			t.Errorf("%s: %d to %s, did %q, want %q", path, w.Code, w.Header().Get("Location"), d.did, c.want)
		}
	}
}

func TestWhoMayOnlyReadSeesNoOrders(t *testing.T) {
	t.Parallel()
	d := evil()
	d.event.State, d.deliveries[0].State = store.Quarantined, store.Dead
	p := web.New(d, nil)
	for _, address := range []string{"/events", "/events/evt_7", "/deliveries"} {
		for role, want := range map[admin.Role]bool{admin.Read: false, admin.Operate: true} {
			text := get(p, admin.Visitor{Name: "bert", Role: role}, "GET", address, nil).Body.String()
			if got := strings.Contains(text, "/replay") || strings.Contains(text, "/retry?") || strings.Contains(text, "/discard"); got && !want || !strings.Contains(text, "Replay") && want {
				t.Errorf("%s as role %d: orders are offered: %v", address, role, got)
			}
		}
	}
	text := get(p, admin.Visitor{Name: "prometheus", Role: admin.Metrics}, "GET", "/", nil).Body.String()
	if strings.Contains(text, `href="/audit"`) || strings.Contains(text, "Last reconcile runs") {
		t.Error("the role metrics is led to what it may not see")
	}
}

func TestFiltersAreThoseOfTheCommand(t *testing.T) {
	t.Parallel()
	d := &desk{event: admin.Event{}}
	d.event.ID = "evt_3"
	w := get(web.New(d, nil), operator, "GET", "/events?state=dead&source=telli&type=call.ended&since=2026-03-04&until=2026-03-05T10:00:00Z&zone=Asia/Tokyo&before=evt_99", nil)
	want := store.EventFilter{State: store.Dead, Source: "telli", Type: "call.ended", Since: time.Date(2026, 3, 3, 15, 0, 0, 0, time.UTC), Until: time.Date(2026, 3, 5, 10, 0, 0, 0, time.UTC), Before: 99, Limit: 50}
	got := d.events
	got.Since, got.Until = got.Since.UTC(), got.Until.UTC()
	if got != want {
		t.Errorf("asked for %+v, want %+v", got, want)
	}
	if text := w.Body.String(); !strings.Contains(text, "before=evt_3&amp;") || !strings.Contains(text, "state=dead") {
		t.Error("the next page has not the same filter")
	}
}

func TestPagesAreSmall(t *testing.T) {
	t.Parallel()
	p, sum := web.New(&desk{}, nil), 0
	for _, file := range []string{"/assets/page.css", "/assets/page.js", "/assets/icon.svg"} {
		sum += get(p, operator, "GET", file, nil).Body.Len()
	}
	if sum > 60_000 {
		t.Errorf("the assets have %d bytes, want at most 60,000", sum)
	}
}

// A page asks who reads it for nothing but its address: what else it is sent
// would go into memory and, as files of a form, into temporary ones.
func TestPagesReadNoBodies(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	access := admin.NewAccess(map[string]admin.User{"a-token-of-somebody": {Name: "anna", Role: admin.Operate}}, nil)
	srv := httptest.NewServer(admin.HandlerFor(&desk{}, nil, web.New(&desk{}, nil), func() *admin.Access { return access }))
	defer srv.Close()
	for _, c := range []struct{ method, path, token string }{
		{"GET", "/login", ""}, {"POST", "/login", ""}, {"POST", "/events/evt_1/values", ""}, {"POST", "/events", "wrong"},
		{"GET", "/audit", "a-token-of-somebody"}, {"GET", "/reconcile", "a-token-of-somebody"},
	} {
		sent := &zeros{most: 64 << 20}
		const head = "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n"
		r, _ := http.NewRequestWithContext(t.Context(), c.method, srv.URL+c.path, io.MultiReader(strings.NewReader(head), sent, strings.NewReader("\r\n--x--\r\n")))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		if resp, err := http.DefaultClient.Do(r); err == nil { // a connection that breaks off is an answer, too
			resp.Body.Close()
		}
		if n := sent.read.Load(); n > 16<<20 {
			t.Errorf("%s %s took %d MiB of a body", c.method, c.path, n>>20)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "multipart-*")); len(left) > 0 {
			t.Errorf("%s %s left files: %d", c.method, c.path, len(left))
			for _, f := range left {
				os.Remove(f)
			}
		}
	}
}

// zeros are so many bytes.
type zeros struct {
	most int64
	read atomic.Int64
}

func (z *zeros) Read(b []byte) (int, error) {
	n := min(int64(len(b)), z.most-z.read.Load())
	if z.read.Add(n); n == 0 {
		return 0, io.EOF
	}
	return int(n), nil
}
