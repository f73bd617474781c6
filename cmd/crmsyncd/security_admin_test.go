package main

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
)

func threatsOfTheAdminSide() []threat {
	return []threat{
		{id: "T55", what: "has a page's own name lead to the admin address (DNS rebinding)", want: "421 on every path: only loopback names and those of the certificate are answered to", try: func(t *testing.T, a *attacked) {
			for _, host := range []string{"evil.test", "evil.test:8788", "127.0.0.1.evil.test", "localhost.evil.test", "", "0.0.0.0", "[::]", "crmsyncd.evil.test", "127.0.0.1@evil.test"} {
				for _, path := range []string{"/api/status", "/api/events", "/metrics", "/healthz", "/", "/events", "/login", "/assets/page.js", "/api/nothing"} {
					want := "421"
					if strings.Contains(host, "@") {
						want = "400"
					}
					if got, _ := a.raw(a.private, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n"); got != want && got != "421" {
						t.Errorf("Host %q, %s: answered %s, want %s", host, path, got, want)
					}
				}
			}
		}},
		{id: "T56", what: "has a page post to the admin address, as a form or as text", want: "403, also where the browser names the page as referrer only; 415 of all that is no JSON; no GET changes anything", try: func(t *testing.T, a *attacked) {
			for header, want := range map[string]string{"Referer: https://evil.test/page": "403", "Referer: http://localhost/": "415", "Accept: */*": "415"} {
				for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", ""} {
					if got, _ := a.raw(a.private, "POST /api/events/replay HTTP/1.1\r\nHost: localhost\r\n"+header+"\r\nContent-Type: "+kind+"\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"); got != want {
						t.Errorf("an order with %s as %q: answered %s, want %s", header, kind, got, want)
					}
				}
			}
			for _, path := range []string{"/api/events/replay", "/api/deliveries/retry", "/api/deliveries/discard", "/api/events/discard", "/api/erase", "/api/ledger/backup", "/api/ledger/compact", "/api/audit", "/api/reconcile", "/api/sources/telli/backfill", "/deliveries/retry", "/deliveries/discard", "/events/replay", "/events/discard", "/events/evt_1/values", "/logout", "/login"} {
				for _, header := range []string{"Origin: https://evil.test", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: null", "Referer: https://evil.test/page"} {
					for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "application/json"} {
						got, _ := a.raw(a.private, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\n"+header+"\r\nContent-Type: "+kind+"\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
						if got != "403" {
							t.Errorf("%s with %s as %s: answered %s", path, header, kind, got)
						}
					}
				}
				if path == "/api/audit" || path == "/api/reconcile" || path == "/logout" || path == "/login" {
					continue // there are reads of that name
				}
				if got, _ := a.raw(a.private, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); got != "405" && got != "400" && got != "404" {
					t.Errorf("GET %s: answered %s", path, got)
				}
			}
		}},
		{id: "T56b", what: "sends a form that no page made for this person, from a browser that does not say from where", want: "403: every form carries a token of its session", also: []string{"internal/admin TestAFormOfAnotherPageIsRefused"}, try: func(t *testing.T, a *attacked) {
			for _, form := range []string{"", "id=evt_1.hubspot", "id=evt_1.hubspot&form=", "id=evt_1.hubspot&form=" + strings.Repeat("0", 64), `{"id":"evt_1"}`} {
				for _, path := range []string{"/deliveries/retry", "/deliveries/discard", "/events/replay", "/events/discard", "/events/evt_1/values"} {
					got, _ := a.raw(a.private, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", path, len(form), form))
					if got != "403" {
						t.Errorf("%s with %q: answered %s", path, form, got)
					}
				}
			}
		}},
		{id: "T57", what: "shows an admin page within another", want: "`frame-ancestors 'none'`, `X-Frame-Options: DENY`, on every answer", try: func(t *testing.T, a *attacked) {
			for _, path := range []string{"/api/status", "/metrics", "/nothing", "/healthz", "/", "/events", "/deliveries", "/deliveries/retry?id=evt_1.hubspot", "/reconcile", "/audit", "/assets/page.css"} {
				req, err := http.NewRequest(http.MethodGet, "http://"+a.private+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				_, _, h := a.do(req)
				if h.Get("X-Frame-Options") != "DENY" || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" {
					t.Errorf("%s: headers %v", path, h)
				}
			}
		}},
		{id: "T58", what: "is called `<script>…`, and an operator looks at the event", want: "it is text on every page, and no script runs but ours (`default-src 'none'; script-src 'self'`); the API is JSON, `nosniff`; terminals get no control characters", also: []string{"internal/web TestNothingThatIsShownIsTakenForHTML"}, try: func(t *testing.T, a *attacked) {
			evil := "<script>alert(1)</script>\x1b[2J\x1b]0;owned\x07"
			a.gives("call", a.signed(a.call(580, func(_, contact map[string]any) { contact["last_name"], contact["first_name"] = evil, evil }), newMessageID(), time.Now()), 200, "accepted")
			for _, path := range []string{"/api/events", "/api/deliveries", "/api/status"} {
				req, err := http.NewRequest(http.MethodGet, "http://"+a.private+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				_, body, h := a.do(req)
				if !strings.HasPrefix(h.Get("Content-Type"), "application/json") || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") || strings.Contains(body, "<script>") {
					t.Errorf("%s: %v", path, h)
				}
			}
			for _, path := range []string{"/", "/events", "/events/evt_1", "/deliveries?state=done", "/audit"} {
				req, err := http.NewRequest(http.MethodGet, "http://"+a.private+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				_, body, h := a.do(req)
				if policy := h.Get("Content-Security-Policy"); strings.Contains(body, "<script>") || !strings.Contains(policy, "default-src 'none'; style-src 'self'; script-src 'self';") || h.Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("%s: %v\n%s", path, h, body)
				}
			}
			for _, args := range [][]string{{"events", "list"}, {"deliveries", "list"}, {"events", "show", "evt_1"}, {"status"}} {
				out, _ := a.command(args...).CombinedOutput()
				if strings.ContainsAny(string(out), "\x1b\x07") {
					t.Errorf("crmsyncd %s prints control characters: %q", strings.Join(args, " "), out)
				}
			}
		}},
		{id: "T59", what: "guesses tokens of the admin side", want: "401, then 429, and nobody with a right token is held up by it; each route takes its role; compared by hash", also: []string{"internal/admin TestWhoGuessesTokensIsKeptWaiting", "internal/admin TestEveryRouteTakesTheRoleThatItNeeds"}},
		{id: "T59b", what: "guesses tokens at the dashboard's door, or a session", want: "401, then 429; a session is 128 random bits in a cookie that scripts do not see, ends after 12 hours, with its token and when one signs out", also: []string{"internal/admin TestWhoGuessesAtTheDoorIsKeptWaiting", "internal/admin TestASessionEndsWithItsTimeOrItsToken", "internal/admin TestABrowserSignsInAndOut"}, try: func(t *testing.T, _ *attacked) {
			a := prepareAttacked(t, "admin_access: {users: {anna: {role: operate, token: 0123456789abcdef-anna}}}\n")
			a.start()
			t.Cleanup(func() { _ = a.end(syscall.SIGKILL) })
			enter := func(token string) (int, http.Header) {
				req, err := http.NewRequest(http.MethodPost, "http://"+a.private+"/login", strings.NewReader("token="+token))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				status, _, h := a.do(req)
				return status, h
			}
			if err := poll(func() error {
				_, err := admin.NewClientFor(a.private, "0123456789abcdef-anna", nil).Status(t.Context())
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if status, h := enter("0123456789abcdef-anna"); status != 303 || !strings.Contains(h.Get("Set-Cookie"), "HttpOnly; SameSite=Strict") {
				t.Errorf("the right token: %d %v", status, h)
			}
			for _, cookie := range []string{"", "crmsyncd=", "crmsyncd=0123456789abcdef-anna", "crmsyncd=" + strings.Repeat("A", 26)} {
				if got, _ := a.raw(a.private, "GET /events HTTP/1.1\r\nHost: localhost\r\nCookie: "+cookie+"\r\nConnection: close\r\n\r\n"); got != "303" {
					t.Errorf("the session %q: answered %s, want 303 to the door", cookie, got)
				}
			}
			// One more is answered for every five seconds that the guesses take.
			for began, i := time.Now(), 0; ; i++ {
				status, h := enter(fmt.Sprint("guess-", i))
				if status == 429 && i >= 10 && h.Get("Retry-After") != "" {
					break
				}
				if status != 401 || i > 9+int(time.Since(began)/(5*time.Second)) {
					t.Fatalf("guess %d after %v: %d", i, time.Since(began), status)
				}
			}
			if status, _ := enter("0123456789abcdef-anna"); status != 303 {
				t.Errorf("the right token after ten guesses of others: %d, want 303", status)
			}
			if said := a.err.String(); strings.Contains(said, "0123456789abcdef") || strings.Contains(said, "guess-") {
				t.Error("the log shows a token")
			}
		}},
		{id: "T60", what: "reaches an admin side that listens off this machine without proof", want: "does not start (78)", also: []string{"config TestTheAdminSideLeavesTheMachineOnlyWithCertificateAndTokens"}, try: func(t *testing.T, _ *attacked) {
			a := prepareAttacked(t, "")
			config := a.read("config.yaml")
			for _, at := range []string{"0.0.0.0:0", ":0", "'[::]:0'", "192.0.2.1:8788"} {
				a.file("config.yaml", strings.Replace(config, "admin: "+a.private, "admin: "+at, 1))
				a.refusesSettings(at, 78, "other machines can reach this address")
			}
		}},
		{id: "T61", what: "looks for `/metrics`, `/debug/pprof`, `/api/…` at the public port", want: "404; `/healthz` says nothing but ok", try: func(t *testing.T, a *attacked) {
			for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/vars", "/api/status", "/readyz", "/", "/favicon.ico", "/.env", "/admin", "/healthz/", "/hooks/"} {
				if got, _ := a.raw(a.listen, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); got != "404" {
					t.Errorf("%s: answered %s", path, got)
				}
			}
			req, err := http.NewRequest(http.MethodGet, "http://"+a.listen+"/healthz", nil)
			if err != nil {
				t.Fatal(err)
			}
			if status, body, h := a.do(req); status != 200 || strings.TrimSpace(body) != `{"status":"ok"}` || h.Get("Server") != "" {
				t.Errorf("/healthz: %d %s %v", status, body, h)
			}
		}},
		{id: "T62", what: "asks the admin side for `../../etc/passwd`", want: "400 or 404: ids only, never files", try: func(t *testing.T, a *attacked) {
			for _, path := range []string{"/api/events/..%2f..%2fetc%2fpasswd", "/api/events/%00", "/api/events/evt_-1", "/api/events/evt_99999999999999999999", "/../../etc/passwd", "/api/../../etc/passwd", "/api/events/evt_1%0a"} {
				if got, _ := a.raw(a.private, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); got != "400" && got != "404" {
					t.Errorf("%s: answered %s", path, got)
				}
			}
			for _, body := range []string{`{"ids": ["../x"]}`, `{"ids": ["evt_1", ""]}`, `{"ids": "x"}`, `[`, ``, `{"ids": [` + strings.Repeat(`"evt_1",`, 1_000_000) + `"evt_1"]}`} {
				req, err := http.NewRequest(http.MethodPost, "http://"+a.private+"/api/events/replay", strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/json")
				a.gives(body[:min(len(body), 20)], req, 400, "error")
			}
		}},
		{id: "T63", what: "replays an event twice", want: "nothing is made twice", try: func(t *testing.T, a *attacked) {
			_, body, _ := a.do(a.signed(a.call(630, nil), newMessageID(), time.Now()))
			_, id, _ := strings.Cut(body, `"event_id":"`)
			id, _, _ = strings.Cut(id, `"`)
			a.settled()
			for range 3 {
				req, err := http.NewRequest(http.MethodPost, "http://"+a.private+"/api/events/replay", strings.NewReader(fmt.Sprintf(`{"ids": [%q, %q]}`, id, id)))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/json")
				a.gives("replay", req, 200, "changed")
			}
			a.settled()
			a.written(630, func(map[string]any) {})
		}},
	}
}
