package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

func threatsOfSenders() []threat {
	return []threat{
		{id: "T17", what: "leaves the signature out, or sends a wrong, shortened or re-cased one", want: "401, always the same answer; nothing is kept", try: func(t *testing.T, a *attacked) {
			a.keeps(0, func() {
				answers := map[string]bool{}
				for what, change := range map[string]func(string) string{
					"none":       func(string) string { return "" },
					"wrong":      func(s string) string { return "v1," + base64.StdEncoding.EncodeToString(make([]byte, 32)) },
					"shortened":  func(s string) string { return s[:len(s)-4] },
					"longer":     func(s string) string { return s + "AAAA" },
					"upper case": strings.ToUpper,
					"no base64":  func(s string) string { return "v1,%%%" },
					"version 2":  func(s string) string { return "v2" + s[2:] },
					"url base64": func(s string) string { return "v1," + strings.Repeat("-_", 22) },
					"only v1":    func(s string) string { return "v1," },
					"100 kinds":  func(s string) string { return strings.Repeat("v1,AAAA ", 100) },
				} {
					req := a.signed("{}", newMessageID(), time.Now())
					name := signatureHeader(req)
					req.Header.Set(name, change(req.Header.Get(name)))
					status, body, _ := a.do(req)
					if status != 401 {
						t.Errorf("%s: answered %d", what, status)
					}
					answers[body] = true
				}
				if len(answers) != 1 {
					t.Errorf("answers differ: %v", answers)
				}
			})
		}},
		{id: "T18", what: "changes a signed body by one blank", want: "401: the bytes are what is signed", try: func(t *testing.T, a *attacked) {
			a.keeps(0, func() {
				req := a.signed(`{"event": "x"}`, newMessageID(), time.Now())
				other := a.signed(`{"event":"x"}`, newMessageID(), time.Now())
				req.Header = other.Header
				a.gives("re-written JSON", req, 401, "error")
			})
		}},
		{id: "T19", what: "signs with a time that is old, ahead, missing, twice there or no number", want: "401; own clock that is wrong is told by `doctor` and the log", also: []string{"internal/httpx TestClockBesideVendors"}, try: func(t *testing.T, a *attacked) {
			a.keeps(0, func() {
				now := time.Now().Unix()
				for _, at := range []string{fmt.Sprint(now - 301), fmt.Sprint(now + 3600), "1e9", "-5", "", fmt.Sprintf("%d.5", now), fmt.Sprintf("0x%x", now), fmt.Sprintf("+%d", now), fmt.Sprintf("%d000", now), " "} {
					a.gives("time "+at, a.signedAt("{}", newMessageID(), at), 401, "error")
				}
				req := a.signed("{}", newMessageID(), time.Now())
				for name := range req.Header {
					if strings.HasSuffix(name, "-Timestamp") {
						req.Header.Add(name, fmt.Sprint(now))
					}
				}
				a.gives("two times", req, 401, "error")
				for _, id := range []string{"", strings.Repeat("x", 300)} {
					a.gives("id", a.signedAt("{}", id, fmt.Sprint(now)), 401, "error")
				}
			})
			a.gives("what the others are measured by", a.signedAt("{}", newMessageID(), fmt.Sprint(time.Now().Unix())), 200, "unknown")
		}},
		{id: "T20", what: "sends a caught webhook again, many times at once", want: "200 each, one event, one effect", try: func(t *testing.T, a *attacked) {
			times := 150
			if os.Getenv("SECURITY") != "" {
				times = 1000
			}
			body, id, at := a.call(200, nil), newMessageID(), time.Now()
			a.keeps(1, func() {
				var all sync.WaitGroup
				for range 16 {
					all.Go(func() {
						for range times / 16 {
							a.gives("again", a.signed(body, id, at), 200, "")
						}
					})
				}
				all.Wait()
			})
			a.settled()
			if n := a.hubspot("calls", "telli_call_id", a.callID(200)); len(n) != 1 {
				t.Errorf("the CRM has the call %d times", len(n))
			}
		}},
		{id: "T21", what: "sends another body under an id that was used", want: "200, kept aside as a conflict; the first is not overwritten", try: func(t *testing.T, a *attacked) {
			id := newMessageID()
			a.gives("the first", a.signed(a.call(210, nil), id, time.Now()), 200, "accepted")
			a.gives("the second", a.signed(a.call(210, func(call, contact map[string]any) { contact["last_name"] = "Overwritten" }), id, time.Now()), 200, "quarantined")
			a.settled()
			for _, r := range a.hubspot("contacts", "telli_contact_id", a.contactID(210)) {
				if r["lastname"] == "Overwritten" {
					t.Error("the second was written")
				}
			}
		}},
		{id: "T22", what: "sends the same occurrence under two ids", want: "200, one effect", try: func(t *testing.T, a *attacked) {
			body := a.call(220, nil)
			a.gives("the first", a.signed(body, newMessageID(), time.Now()), 200, "accepted")
			a.gives("the second", a.signed(body, newMessageID(), time.Now()), 200, "duplicate")
			a.settled()
			if n := a.hubspot("calls", "telli_call_id", a.callID(220)); len(n) != 1 {
				t.Errorf("the CRM has the call %d times", len(n))
			}
		}},
		{id: "T23", what: "signs while the secret is being changed: with the old one, or with two signatures of which one is bad", want: "taken if one fits; no key is logged", try: func(t *testing.T, a *attacked) {
			old, err := telliSource(oldSecret)
			if err != nil {
				t.Fatal(err)
			}
			before := *a
			before.src = old
			a.gives("the old secret", before.signed(`{"event": "23a"}`, newMessageID(), time.Now()), 200, "unknown")
			req := a.signed(`{"event": "23b"}`, newMessageID(), time.Now())
			name := signatureHeader(req)
			req.Header.Set(name, "v1,"+strings.Repeat("A", 43)+"= v1a,x "+req.Header.Get(name))
			a.gives("one bad, one good", req, 200, "unknown")
			for _, secret := range []string{testSecret, oldSecret, pathToken} {
				if strings.Contains(a.err.String(), strings.TrimPrefix(secret, "whsec_")) {
					t.Error("a secret is in the log")
				}
			}
		}},
		{id: "T24", what: "is let in by a secret that is empty, `changeme`, or not set", want: "does not start (78); the setting is named, its value is not", try: func(t *testing.T, _ *attacked) {
			a := prepareAttacked(t, "")
			config := a.read("config.yaml")
			for what, secret := range map[string]string{"empty": `""`, "changeme": "changeme", "not set": "${CRMSYNCD_NO_SUCH_SECRET}", "an empty list": "[]", "an empty one of two": `["` + testSecret + `", ""]`} {
				a.file("config.yaml", strings.Replace(config, `["`+testSecret+`", "`+oldSecret+`"]`, secret, 1))
				a.refusesSettings(what, 78, "signing_secret", ": changeme", "AAECAwQFBgcI")
			}
		}},
		{id: "T25", what: "configures a vendor that signs nothing without token and addresses", want: "does not start (78); a short token is warned of", try: func(t *testing.T, _ *attacked) {
			a := prepareAttacked(t, "")
			config := a.read("config.yaml")
			a.file("config.yaml", strings.Replace(config, "token: "+pathToken+", ", "", 1))
			a.refusesSettings("voipgrid", 78, "nothing proves who sends")
			a.file("config.yaml", strings.Replace(config, "allow_from: 192.0.2.0/24", "allow_from: 0.0.0.0/0", 1))
			a.refusesSettings("everybody", 78, "admits every address")
		}},
		{id: "T26", what: "claims another address: `X-Forwarded-For`, `X-Real-IP`, `Forwarded`, …", want: "403: the connection's own address counts, or what a trusted proxy says last", try: func(t *testing.T, a *attacked) {
			claim := func(a *attacked, want int, header string, values ...string) {
				req, err := http.NewRequest(http.MethodPost, "http://"+a.listen+"/hooks/office", strings.NewReader("{}"))
				if err != nil {
					t.Fatal(err)
				}
				req.Header[header] = values
				a.gives(header+" "+strings.Join(values, " + "), req, want, "")
			}
			a.keeps(0, func() {
				for _, h := range []string{"X-Forwarded-For", "X-Real-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "X-Client-Ip", "Client-Ip", "X-Originating-Ip"} {
					claim(a, 403, h, "192.0.2.7")
				}
				claim(a, 403, "X-Forwarded-For", "192.0.2.7", "192.0.2.8")
				claim(a, 403, "X-Forwarded-For", "::ffff:192.0.2.7")
				claim(a, 403, "Forwarded", `for="192.0.2.7:443";proto=https`)
			})
		}},
		{id: "T26b", what: "does so through a proxy that is trusted", want: "the right-most address that is no proxy counts", long: true, try: func(t *testing.T, _ *attacked) {
			a := newAttacked(t, "trusted_proxies: 127.0.0.0/8\n")
			for _, c := range []struct {
				want   int
				values []string
			}{
				{200, []string{"192.0.2.7"}}, {200, []string{"192.0.2.7:1234"}}, {200, []string{"::ffff:192.0.2.7"}}, {200, []string{"[::ffff:192.0.2.7]:1234"}},
				{200, []string{"evil, 192.0.2.7"}}, {200, []string{"192.0.2.7, 127.0.0.9"}},
				{403, []string{"192.0.2.7, 198.51.100.1"}}, {403, []string{"192.0.2.7", "198.51.100.1"}}, {403, []string{""}}, {403, []string{"192.0.2.7,"}},
				{403, []string{"192.0.2.7, unknown"}}, {403, []string{"192.0.2.999"}}, {200, []string{" 192.0.2.7 "}}, {403, []string{`"192.0.2.7"`}},
			} {
				req, err := http.NewRequest(http.MethodPost, "http://"+a.listen+"/hooks/office", strings.NewReader("{}"))
				if err != nil {
					t.Fatal(err)
				}
				req.Header["X-Forwarded-For"] = c.values
				a.gives(strings.Join(c.values, " + "), req, c.want, "")
			}
		}},
		{id: "T27", what: "puts a token into the query of an address", want: "401, and it is in no log", try: func(t *testing.T, a *attacked) {
			for _, query := range []string{"?token=" + pathToken, "?key=zz-secret-in-query", "?api_key=zz-secret-in-query"} {
				req, err := http.NewRequest(http.MethodPost, "http://"+a.listen+"/hooks/phones"+query, strings.NewReader("{}"))
				if err != nil {
					t.Fatal(err)
				}
				a.gives(query, req, 401, "error")
			}
			if said := a.err.String(); strings.Contains(said, "zz-secret-in-query") || strings.Contains(said, pathToken) {
				t.Error("the token is in the log")
			}
		}},
		{id: "T28", what: "sends what is right for one source to another", want: "401 or 404", try: func(t *testing.T, a *attacked) {
			a.keeps(0, func() {
				for path, want := range map[string]int{"/hooks/chat": 401, "/hooks/phones": 401, "/hooks/robots/" + pathToken: 401, "/hooks/telli/" + pathToken: 404, "/hooks/office/" + pathToken: 404, "/hooks/nobody": 404} {
					req := a.signed("{}", newMessageID(), time.Now())
					req.URL.Path = path
					a.gives(path, req, want, "error")
				}
			})
		}},
	}
}

// signatureHeader is the header that holds the signature.
func signatureHeader(r *http.Request) string {
	for name := range r.Header {
		if strings.HasSuffix(name, "-Signature") {
			return name
		}
	}
	return ""
}

// signedAt is a request that is rightly signed over a text for a time.
func (a *attacked) signedAt(body, id, at string) *http.Request {
	a.t.Helper()
	req := a.signed(body, id, time.Now())
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(testSecret, "whsec_"))
	if err != nil {
		a.t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	for name := range req.Header {
		switch {
		case strings.HasSuffix(name, "-Signature"):
			req.Header.Set(name, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		case strings.HasSuffix(name, "-Timestamp"):
			req.Header.Set(name, at)
		case strings.HasSuffix(name, "-Id"):
			req.Header.Set(name, id)
		}
	}
	return req
}
