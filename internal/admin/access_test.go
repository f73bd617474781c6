package admin_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

// tokens of the users of the tests, by role.
var tokens = map[string]admin.User{
	"metrics-token-0123456789": {Name: "prometheus", Role: admin.Metrics},
	"read-token-0123456789":    {Name: "bert", Role: admin.Read},
	"operate-token-0123456789": {Name: "anna", Role: admin.Operate},
}

// ask puts a request to an admin side for the users and returns the status.
func ask(t *testing.T, h http.Handler, method, path, token, host, from string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "https://127.0.0.1:8788"+path, strings.NewReader(`{"ids":[]}`))
	r.Host, r.RemoteAddr = host, from
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestEveryRouteTakesTheRoleThatItNeeds(t *testing.T) {
	t.Parallel()
	access := admin.NewAccess(tokens, nil)
	h := admin.HandlerFor(keeperDesk(t), http.NotFoundHandler(), nil, func() *admin.Access { return access })
	for path, least := range map[string]admin.Role{
		"GET /metrics": admin.Metrics, "GET /healthz": admin.Metrics, "GET /readyz": admin.Metrics, "GET /api/status": admin.Metrics,
		"GET /api/events": admin.Read, "GET /api/events/evt_1": admin.Read, "GET /api/deliveries": admin.Read, "GET /api/audit": admin.Read,
		"GET /anything/else": admin.Read, "POST /api/events/preview": admin.Read,
		"POST /api/events/replay": admin.Operate, "POST /api/events/discard": admin.Operate, "POST /api/deliveries/retry": admin.Operate,
		"POST /api/deliveries/discard": admin.Operate, "POST /api/erase": admin.Operate, "POST /api/audit": admin.Operate,
		"POST /api/ledger/backup": admin.Operate, "POST /api/ledger/compact": admin.Operate, "POST /api/ledger/encrypt": admin.Operate, "POST /api/ledger/verify": admin.Operate,
		"POST /api/connectors/x/consent": admin.Operate, "POST /api/connectors/x/grant": admin.Operate, "POST /api/connectors/x/account": admin.Operate,
		"POST /api/sources/x/backfill": admin.Operate, "POST /api/reconcile": admin.Operate, "DELETE /metrics": admin.Operate, "POST /anything/else": admin.Operate,
	} {
		method, at, _ := strings.Cut(path, " ")
		for token, u := range tokens {
			if path == "POST /api/ledger/backup" && u.Role == admin.Operate {
				continue // the test's desk has no file to send
			}
			refused := ask(t, h, method, at, token, "localhost", "192.0.2.1:1").Code == http.StatusForbidden
			if refused != (u.Role < least) {
				t.Errorf("%s as %s: refused is %v", path, u.Name, refused)
			}
		}
		if code := ask(t, h, method, at, "", "localhost", "192.0.2.9:1").Code; code != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d, want 401", path, code)
		}
	}
}

func TestWhoGuessesTokensIsKeptWaiting(t *testing.T) {
	t.Parallel()
	access := admin.NewAccess(tokens, nil)
	h := admin.HandlerFor(&desk{}, nil, nil, func() *admin.Access { return access })
	code := func(token, from string) int { return ask(t, h, "GET", "/healthz", token, "localhost", from).Code }
	for range 30 { // no token is no guess
		if got := code("", "[2001:db8::1]:1"); got != http.StatusUnauthorized {
			t.Fatalf("without a token: %d, want 401", got)
		}
	}
	for i := range 10 {
		if got := code("wrong", "[2001:db8::1]:1"); got != http.StatusUnauthorized {
			t.Fatalf("try %d: %d, want 401", i, got)
		}
	}
	for token, want := range map[string]int{"wrong": http.StatusTooManyRequests, "": http.StatusUnauthorized, "operate-token-0123456789": http.StatusOK} {
		if got := code(token, "[2001:db8::2]:1"); got != want {
			t.Errorf("token %q after ten wrong ones of the same network: %d, want %d", token, got, want)
		}
	}
	if got := code("wrong", "192.0.2.1:1"); got != http.StatusUnauthorized {
		t.Errorf("a wrong one from elsewhere: %d, want 401", got)
	}
}

func TestAWrongTokenIsCalledWrongAndNotMissing(t *testing.T) {
	t.Parallel()
	access := admin.NewAccess(tokens, nil)
	h := admin.HandlerFor(&desk{}, nil, nil, func() *admin.Access { return access })
	for token, want := range map[string]string{"wrong": "that of no user", "": "is needed", " ": "is needed"} {
		if got := ask(t, h, "GET", "/api/status", token, "localhost", "192.0.2.1:1").Body.String(); !strings.Contains(got, want) || !strings.Contains(got, "CRMSYNCD_ADMIN_TOKEN") {
			t.Errorf("token %q: %s, want it to say %q", token, got, want)
		}
	}
}

func TestTheAdminSideAnswersToTheNamesOfItsCertificate(t *testing.T) {
	t.Parallel()
	access := admin.NewAccess(tokens, func(host string) bool { return host == "crm.example.com" })
	h := admin.HandlerFor(&desk{}, nil, nil, func() *admin.Access { return access })
	for host, want := range map[string]int{"crm.example.com:8788": 200, "crm.example.com": 200, "[::1]:8788": 200, "evil.test": 421, "192.0.2.7:8788": 421, "": 421} {
		w := ask(t, h, "GET", "/healthz", "read-token-0123456789", host, "192.0.2.1:1")
		if w.Code != want {
			t.Errorf("Host %q: %d, want %d", host, w.Code, want)
		}
		for header, want := range map[string]string{"Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"} {
			if got := w.Header().Get(header); got != want {
				t.Errorf("Host %q: %s is %q, want %q", host, header, got, want)
			}
		}
	}
}

func TestTheAuditTrailNamesTheUserOfTheToken(t *testing.T) {
	t.Parallel()
	d, access := keeperDesk(t), admin.NewAccess(tokens, nil)
	srv := httptest.NewTLSServer(admin.HandlerFor(d, nil, nil, func() *admin.Access { return access }))
	t.Cleanup(srv.Close)
	secure := srv.Client().Transport.(*http.Transport).TLSClientConfig
	address := srv.Listener.Addr().String()
	if err := admin.NewClientFor(address, "operate-token-0123456789", secure).Note(t.Context(), "provision", nil); err != nil {
		t.Fatal(err)
	}
	reader := admin.NewClientFor(address, "read-token-0123456789", secure)
	if err := reader.Note(t.Context(), "provision", nil); err == nil || !strings.Contains(err.Error(), "may not") {
		t.Errorf("a token for reading writes: %v", err)
	}
	list, err := reader.Audits(t.Context(), store.AuditFilter{})
	if err != nil || len(list) != 1 || list[0].Who != "anna" {
		t.Errorf("want one entry of anna, got %+v, %v", list, err)
	}
}

func TestASocketFileNeedsNoToken(t *testing.T) {
	t.Parallel()
	access := admin.NewAccess(tokens, nil)
	path := filepath.Join(t.TempDir(), "a.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: admin.HandlerFor(keeperDesk(t), nil, nil, func() *admin.Access { return access })}}
	srv.Start()
	t.Cleanup(srv.Close)
	if _, err := admin.NewClient("unix:" + path).Status(t.Context()); err != nil {
		t.Error(err)
	}
}
