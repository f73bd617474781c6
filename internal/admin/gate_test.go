package admin_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
)

// pages are pages that say who asks, with what their forms send.
type pages struct{}

func (pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := admin.VisitorOf(r.Context())
	fmt.Fprintf(w, "%s %s as %s %d signed %v form %s", r.Method, r.URL.Path, v.Name, v.Role, v.Signed, v.Form)
}

func (pages) Refuse(w http.ResponseWriter, _ *http.Request, status int, why string) {
	w.WriteHeader(status)
	fmt.Fprint(w, "refused: "+why)
}

// guest is a browser before the gate.
type guest struct {
	t      *testing.T
	h      http.Handler
	tls    bool
	cookie string // name=value, as the gate set it
	set    string // the whole Set-Cookie of the last answer
}

// ask sends a request; headers are "Name: value", one of Host among them.
func (g *guest) ask(method, path string, form url.Values, headers ...string) *httptest.ResponseRecorder {
	g.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Host, r.RemoteAddr = "localhost:8788", "192.0.2.1:1"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if g.tls {
		r.TLS = &tls.ConnectionState{}
	}
	if g.cookie != "" {
		r.Header.Set("Cookie", g.cookie)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	g.h.ServeHTTP(w, r)
	if g.set = w.Header().Get("Set-Cookie"); g.set != "" {
		g.cookie, _, _ = strings.Cut(g.set, ";")
	}
	return w
}

// form is what the forms of a page send.
func (g *guest) form(path string) string {
	g.t.Helper()
	_, form, _ := strings.Cut(g.ask("GET", path, nil).Body.String(), " form ")
	return form
}

func (g *guest) signIn(token string) *httptest.ResponseRecorder {
	g.t.Helper()
	return g.ask("POST", "/login", url.Values{"token": {token}, "to": {"/events?state=dead"}})
}

func newGuest(t *testing.T, secure bool) *guest {
	access := admin.NewAccess(tokens, nil)
	return &guest{t: t, tls: secure, h: admin.HandlerFor(&desk{}, http.NotFoundHandler(), pages{}, func() *admin.Access { return access })}
}

const anna = "operate-token-0123456789"

func TestABrowserSignsInAndOut(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		g := newGuest(t, secure)
		if w := g.ask("GET", "/events?state=dead", nil); w.Code != 303 || w.Header().Get("Location") != "/login?to=%2Fevents%3Fstate%3Ddead" {
			t.Errorf("without a session: %d to %q", w.Code, w.Header().Get("Location"))
		}
		if w := g.ask("GET", "/login", nil); w.Code != 200 {
			t.Errorf("the page to sign in: %d", w.Code)
		}
		if w := g.ask("GET", "/assets/page.css", nil); w.Code != 200 {
			t.Errorf("its style: %d", w.Code)
		}
		if w := g.signIn("wrong"); w.Code != 401 || g.set != "" {
			t.Errorf("a wrong token: %d, cookie %q", w.Code, g.set)
		}
		if w := g.signIn(anna); w.Code != 303 || w.Header().Get("Location") != "/events?state=dead" {
			t.Errorf("the right token: %d to %q", w.Code, w.Header().Get("Location"))
		}
		name := "crmsyncd="
		if secure {
			name = "__Host-crmsyncd="
		}
		if !strings.HasPrefix(g.set, name) || strings.Contains(g.set, "Secure") != secure {
			t.Errorf("the cookie is %q", g.set)
		}
		for _, must := range []string{"; Path=/;", "HttpOnly", "SameSite=Strict", "Max-Age=43200"} {
			if !strings.Contains(g.set, must) {
				t.Errorf("the cookie %q has no %s", g.set, must)
			}
		}
		if strings.Contains(g.set, anna) {
			t.Error("the cookie holds the token")
		}
		if w := g.ask("GET", "/events", nil); w.Code != 200 || !strings.Contains(w.Body.String(), "as anna 2 signed true") {
			t.Errorf("signed in: %d %s", w.Code, w.Body)
		}
		if w := g.ask("GET", "/api/events", nil); w.Code != 401 {
			t.Errorf("the cookie opens the API: %d", w.Code)
		}
		if w := g.ask("GET", "/logout", nil); w.Code != 303 || g.ask("GET", "/events", nil).Code != 200 {
			t.Error("a GET signs out")
		}
		old := g.cookie
		if w := g.ask("POST", "/logout", url.Values{"form": {g.form("/")}}); w.Code != 303 || !strings.Contains(g.set, "Max-Age=0") {
			t.Errorf("signing out: %d, cookie %q", w.Code, g.set)
		}
		g.cookie = old
		if w := g.ask("GET", "/events", nil); w.Code != 303 {
			t.Errorf("the session goes on after signing out: %d", w.Code)
		}
	}
}

func TestASessionEndsWithItsTimeOrItsToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		access := admin.NewAccess(tokens, nil)
		g := &guest{t: t, h: admin.HandlerFor(&desk{}, nil, pages{}, func() *admin.Access { return access })}
		g.signIn(anna)
		time.Sleep(12*time.Hour - time.Second)
		if w := g.ask("GET", "/", nil); w.Code != 200 {
			t.Errorf("before twelve hours: %d", w.Code)
		}
		time.Sleep(time.Second)
		if w := g.ask("GET", "/", nil); w.Code != 303 {
			t.Errorf("after twelve hours: %d", w.Code)
		}
		g.signIn(anna)
		access = admin.NewAccess(map[string]admin.User{"another-token-0123456789": {Name: "anna", Role: admin.Operate}}, nil)
		if w := g.ask("GET", "/", nil); w.Code != 303 {
			t.Errorf("after the token was taken back: %d", w.Code)
		}
	})
}

func TestAFormOfAnotherPageIsRefused(t *testing.T) {
	t.Parallel()
	g, other := newGuest(t, true), newGuest(t, true)
	other.h = g.h
	g.signIn(anna)
	other.signIn(anna)
	good := url.Values{"form": {g.form("/")}}
	if w := g.ask("POST", "/deliveries/retry", good); w.Code != 200 {
		t.Errorf("a form of the page: %d %s", w.Code, w.Body)
	}
	for name, c := range map[string]struct {
		form    url.Values
		headers []string
	}{
		"without the token":       {url.Values{}, nil},
		"with a made-up token":    {url.Values{"form": {strings.Repeat("0", 64)}}, nil},
		"with another session's":  {url.Values{"form": {other.form("/")}}, nil},
		"of another site":         {good, []string{"Sec-Fetch-Site: cross-site"}},
		"of a neighbour's port":   {good, []string{"Sec-Fetch-Site: same-site"}},
		"of an old browser":       {good, []string{"Origin: https://evil.test"}},
		"of a sandboxed frame":    {good, []string{"Origin: null"}},
		"as JSON":                 {good, []string{"Content-Type: application/json"}},
		"as text":                 {good, []string{"Content-Type: text/plain"}},
		"that is larger than all": {url.Values{"x": {strings.Repeat("x", 70_000)}, "form": good["form"]}, nil},
	} {
		if w := g.ask("POST", "/deliveries/retry", c.form, c.headers...); w.Code != 403 {
			t.Errorf("%s: %d, want 403", name, w.Code)
		}
	}
	if w := g.ask("POST", "/login", url.Values{"token": {anna}}, "Sec-Fetch-Site: cross-site"); w.Code != 403 {
		t.Errorf("another site signs in: %d, want 403", w.Code)
	}
	if w := g.ask("POST", "/deliveries/retry?form="+good.Get("form"), nil); w.Code != 403 {
		t.Errorf("with the token in the address: %d, want 403", w.Code)
	}
}

func TestPagesTakeTheRoleThatTheyNeed(t *testing.T) {
	t.Parallel()
	for path, least := range map[string]admin.Role{
		"GET /": admin.Metrics, "GET /events": admin.Read, "GET /events/evt_1": admin.Read, "GET /deliveries": admin.Read, "GET /reconcile": admin.Read, "GET /audit": admin.Read,
		"GET /deliveries/retry": admin.Read, "POST /events/evt_1/values": admin.Read, "POST /logout": admin.Metrics,
		"POST /deliveries/retry": admin.Operate, "POST /deliveries/discard": admin.Operate, "POST /events/replay": admin.Operate, "POST /events/discard": admin.Operate,
		"POST /events/values": admin.Operate, "POST /": admin.Operate, "DELETE /events": admin.Operate,
	} {
		method, at, _ := strings.Cut(path, " ")
		for token, u := range tokens {
			g := newGuest(t, true)
			g.signIn(token)
			refused := g.ask(method, at, url.Values{"form": {g.form("/")}}).Code == 403
			if refused != (u.Role < least) && method != "DELETE" {
				t.Errorf("%s as %s: refused is %v", path, u.Name, refused)
			}
		}
	}
}

func TestWhoGuessesAtTheDoorIsKeptWaiting(t *testing.T) {
	t.Parallel()
	g := newGuest(t, true)
	for range 30 { // to look is no guess
		g.ask("GET", "/", nil)
		g.ask("POST", "/deliveries/retry", nil)
	}
	for i := range 10 {
		if w := g.signIn(fmt.Sprint("guess-", i)); w.Code != 401 {
			t.Fatalf("guess %d: %d, want 401", i, w.Code)
		}
	}
	if w := g.signIn("guess-10"); w.Code != 429 || w.Header().Get("Retry-After") == "" {
		t.Errorf("the eleventh: %d, want 429 with Retry-After", w.Code)
	}
	if w := g.signIn(anna); w.Code != 303 {
		t.Errorf("a right token after others' wrong ones: %d, want 303", w.Code)
	}
	if w := g.ask("GET", "/login", nil); w.Code != 200 {
		t.Errorf("the page to sign in: %d", w.Code)
	}
}

func TestPagesAnswerToOurNamesOnlyAlsoThroughASocketFile(t *testing.T) {
	t.Parallel()
	g := newGuest(t, false)
	for _, path := range []string{"/", "/login", "/assets/page.css", "/events"} {
		for _, host := range []string{"evil.test", "192.0.2.7:8788", ""} {
			if w := g.ask("GET", path, nil, "Host: "+host); w.Code != 421 {
				t.Errorf("%s of %q: %d, want 421", path, host, w.Code)
			}
		}
	}

	path := filepath.Join(t.TempDir(), "a.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: g.h, ConnContext: admin.ConnContext}}
	srv.Start()
	t.Cleanup(srv.Close)
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	t.Cleanup(c.CloseIdleConnections)
	for host, want := range map[string]int{"crmsyncd": 200, "localhost:9000": 200, "127.0.0.1:9000": 200, "x": 200, "evil.test": 421} {
		resp, err := c.Get("http://" + host + "/events")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != want || want == 200 && !strings.Contains(string(text), "2 signed false") {
			t.Errorf("through the socket as %s: %d %s, %v; want %d", host, resp.StatusCode, text, err, want)
		}
	}
}

func TestOnlyOurOwnPathsFollowASignIn(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]string{
		"/events?state=dead&x=1": "/events?state=dead&x=1", "": "/", "https://evil.test/": "/", "//evil.test/x": "/", "/\\evil.test": "/", "\\\\evil.test": "/", "javascript:alert(1)": "/",
		"events": "/", "/%2fevil.test": "/", "/a\r\nX: y": "/", "http:/x": "/", "/ok#frag": "/ok",
	} {
		if got := admin.Within(to); got != want {
			t.Errorf("Within(%q) = %q, want %q", to, got, want)
		}
	}
}
