package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func threatsOfCRMs() []threat {
	return []threat{
		{id: "T40", what: "says HTML in a call: `<img onerror>`, `<script>`, a `javascript:` link", want: "escaped in every HTML field; only markup of the mapping itself stays", also: []string{"connectors/pipedrive TestACallAsActivity"}, try: func(t *testing.T, a *attacked) {
			evil := `<img src=x onerror=alert(1)><script>alert(2)</script><a href="javascript:alert(3)">x</a>&lt;`
			a.gives("call", a.signed(a.call(400, func(call, contact map[string]any) {
				call["call_analysis"] = map[string]any{"summary": map[string]any{"value": true, "details": evil}}
				call["summary"], call["recording_url"], contact["last_name"] = evil, "javascript:alert(4)", evil
			}), newMessageID(), time.Now()), 200, "accepted")
			a.settled()
			a.written(400, func(map[string]any) {})
			body := fmt.Sprint(a.hubspot("calls", "telli_call_id", a.callID(400))[0]["hs_call_body"])
			if strings.ContainsAny(strings.ReplaceAll(body, "<br>", ""), "<>") || !strings.Contains(body, "&lt;script&gt;") {
				t.Errorf("the CRM shows %q", body)
			}
		}},
		{id: "T41", what: "is called `=HYPERLINK(…)`, so that a spreadsheet made of it later runs it", want: "written to the CRM as it is; our own tables for spreadsheets put an apostrophe before it", try: func(t *testing.T, a *attacked) {
			for _, evil := range []string{"=1+1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "\u00a0=1", "＝1", "|x", "%x", "\ufeff=1", "\n\n=1"} {
				if got := cellText(evil); !strings.HasPrefix(got, "'") {
					t.Errorf("%q becomes the cell %q", evil, got)
				}
			}
			a.gives("call", a.signed(a.call(410, func(_, contact map[string]any) { contact["first_name"] = `=HYPERLINK("http://evil")` }), newMessageID(), time.Now()), 200, "accepted")
			a.settled()
			a.written(410, func(f map[string]any) {
				if f["firstname"] != `=HYPERLINK("http://evil")` {
					t.Errorf("the CRM has %q", f["firstname"])
				}
			})
		}},
		{id: "T42", what: "puts SOQL into a value that is searched by: `' OR Name LIKE '%`", want: "text of the query, nothing else", also: []string{"connectors/salesforce TestTextOfQueriesIsOnlyText", "connectors/salesforce TestQuotedTextComesBackAndEndsWhereItEnds"}},
		{id: "T43", what: "names a record `../../x?y#z`, or one that ends in `.json`", want: "a value in a body, never a part of another path", try: func(t *testing.T, a *attacked) {
			for i, id := range []string{"../../contacts/1", "a?b=c#d", "x%2f..%2f", "x.json", "' OR 1=1", `"); DROP`, "a,b;c", strings.Repeat("/", 200)} {
				a.gives(id, a.signed(a.call(430+i, func(call, contact map[string]any) { call["contact_id"], contact["contact_id"] = id, id }), newMessageID(), time.Now()), 200, "accepted")
			}
			a.settled()
			for i := range 8 {
				if n := a.hubspot("calls", "telli_call_id", a.callID(430+i)); len(n) != 1 {
					t.Errorf("the call of id %d is %d times in the CRM", i, len(n))
				}
			}
			if s := a.status(); len(s.Connectors) != 2 {
				t.Errorf("connectors: %v", s.Connectors)
			}
		}},
		{id: "T44", what: "puts Airtable's formula language into a value that is searched by: `\"`, `}`, `\\`", want: "text, which finds its own row and no other", also: []string{"connectors/airtable TestFindTakesAnyTextAndNeverAnotherRow"}},
		{id: "T45", what: "sends fields of a CRM in the payload: `hubspot_owner_id`, `OwnerId`", want: "only what the mapping names is written", try: func(t *testing.T, a *attacked) {
			a.gives("call", a.signed(a.call(450, func(call, contact map[string]any) {
				for _, f := range []map[string]any{call, contact} {
					f["hubspot_owner_id"], f["OwnerId"], f["IsDeleted"], f["id"], f["$id"], f["properties"] = "1", "1", true, "1", "1", map[string]any{"hubspot_owner_id": "1"}
				}
			}), newMessageID(), time.Now()), 200, "accepted")
			a.settled()
			a.written(450, func(f map[string]any) {
				if f["hubspot_owner_id"] != nil || f["OwnerId"] != nil {
					t.Errorf("the CRM has %v", f)
				}
			})
		}},
		{id: "T46", what: "is called `{{ call.id }}`, `${HOME}` or `%[1]s`", want: "a value is never a template", try: func(t *testing.T, a *attacked) {
			for i, name := range []string{"{{ call.id }}", "${HOME}", "%[1]s%n", "=call.id", "$(id)"} {
				a.gives(name, a.signed(a.call(460+i, func(_, contact map[string]any) { contact["first_name"] = name }), newMessageID(), time.Now()), 200, "accepted")
			}
			a.settled()
			for i, name := range []string{"{{ call.id }}", "${HOME}", "%[1]s%n", "=call.id", "$(id)"} {
				a.written(460+i, func(f map[string]any) {
					if f["firstname"] != name {
						t.Errorf("the CRM has %q, want %q", f["firstname"], name)
					}
				})
			}
		}},
		{id: "T47", what: "has an outbound webhook post to 169.254.169.254, `localhost`, `[::1]`, a number as an address", want: "refused when connecting, unless `allow_private` names the network", also: []string{"internal/httpx TestPrivateAddressesAreNotReachedInAnyNotation", "connectors/webhook TestAPrivateAddressIsRefusedWhenConnecting"}, long: true, try: func(t *testing.T, _ *attacked) {
			var asked atomic.Int64
			inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
			defer inside.Close()
			a := prepareAttacked(t, "")
			config := a.read("config.yaml")
			a.file("config.yaml", config+"  zap: {type: webhook, url: \""+inside.URL+"/x\", unsigned: true}\n")
			a.file("mapping.yaml", a.read("mapping.yaml")+"\n  - name: Out\n    on: call.ended\n    to: zap\n    records:\n      - {object: call, fields: {id: =call.id}}\n")
			a.begin()
			a.gives("call", a.signed(a.call(470, nil), newMessageID(), time.Now()), 200, "accepted")
			a.says("zap")
			if err := poll(func() error {
				if s := fmt.Sprintf("%+v", a.status().Connectors); !strings.Contains(s, "zap") {
					return fmt.Errorf("%s", s)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
			if asked.Load() != 0 {
				t.Error("an address of this machine was asked")
			}
		}},
		{id: "T48", what: "answers for a CRM with a redirect, or names another host to go on at", want: "no redirect is followed, no token sent along", also: []string{"internal/oauth TestSitesAreOnlyTheVendorsOwn", "connectors/salesforce TestTheOrgIsWhereTheSessionSaysUnlessItIsSet"}, long: true, try: func(t *testing.T, _ *attacked) {
			var asked atomic.Int64
			other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
			defer other.Close()
			a := answeredBy(t, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
				w.Header().Set("Location", other.URL+r.URL.Path)
				w.WriteHeader([]int{301, 302, 307, 308}[time.Now().UnixNano()%4])
			})
			a.gives("call", a.signed(a.call(480, nil), newMessageID(), time.Now()), 200, "accepted")
			a.waits("hubspot")
			if asked.Load() != 0 {
				t.Error("a redirect was followed")
			}
		}},
		{id: "T49", what: "has a name lead elsewhere between the check and the connection", want: "the address that is connected to is what is checked", also: []string{"internal/httpx TestPrivateAddressesAreNotReachedInAnyNotation"}},
		{id: "T50", what: "answers for a CRM with HTML, wrong JSON, gigabytes, a gzip bomb, or without end", want: "taken for no answer: the write waits and is looked for before it is made again; memory stays", long: true, also: []string{"internal/httpx TestAnAnswerOverTheLimitIsRefused"}, try: func(t *testing.T, _ *attacked) {
			var mode atomic.Int64
			a := answeredBy(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", "application/json")
				switch mode.Load() {
				case 0:
					w.Header().Set("Content-Type", "text/html")
					_, _ = io.WriteString(w, "<html>Welcome to the hotel</html>")
				case 1:
					_, _ = io.WriteString(w, `{"results": [[[[{"id": {"a": null}}]]]], "status": 7, "paging": "x"}`)
				case 2:
					w.Header().Set("Content-Length", "5000000000")
					flood(w, 64<<20)
				case 3:
					flood(w, 64<<20)
				case 4:
					w.Header().Set("Content-Encoding", "gzip")
					_, _ = w.Write(gzipOf(64 << 20))
				case 5:
					_, _ = io.WriteString(w, strings.Repeat("[", 1<<20))
				case 6:
					_, _ = io.WriteString(w, "null")
				}
			})
			before := residentOf(t, a)
			for m := range int64(7) {
				mode.Store(m)
				t.Logf("answer %d", m)
				a.gives("call", a.signed(a.call(500+int(m), nil), newMessageID(), time.Now()), 200, "accepted")
				a.waits("hubspot")
			}
			if more := residentOf(t, a) - before; more > 256<<20 {
				t.Errorf("memory grew by %d MiB", more>>20)
			}
			if !a.alive() || strings.Contains(a.err.String(), "panic") {
				t.Errorf("it did not live through it:\n%s", a.err.String())
			}
		}},
		{id: "T51", what: "asks for a wait of −1, 1e99, a date in 2099, or something else", want: "bounded; else our own pace", also: []string{"internal/httpx TestDo"}, long: true, try: func(t *testing.T, _ *attacked) {
			values := []string{"-1", "1e99", "99999999999999999999", "Tue, 01 Jan 2999 00:00:00 GMT", "x", "0, 5", ""}
			var n atomic.Int64
			a := answeredBy(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				i := n.Add(1)
				if r.Method == http.MethodGet || i > 6 {
					next.ServeHTTP(w, r)
					return
				}
				w.Header().Set("Retry-After", values[int(i)%len(values)])
				w.WriteHeader(http.StatusTooManyRequests)
			})
			a.gives("call", a.signed(a.call(510, nil), newMessageID(), time.Now()), 200, "accepted")
			a.waits("hubspot")
			if !a.alive() || strings.Contains(a.err.String(), "panic") {
				t.Error("it did not live through it")
			}
		}},
		{id: "T52", what: "stands between crmsyncd and a CRM with a certificate of his own", want: "refused; events wait; there is no switch to trust him", long: true, try: func(t *testing.T, _ *attacked) {
			var asked atomic.Int64
			mitm := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
			defer mitm.Close()
			mitm.Config.ErrorLog = nil
			a := prepareAttacked(t, "")
			a.file("config.yaml", strings.ReplaceAll(a.read("config.yaml"), a.crm+"/hubspot", mitm.URL+"/hubspot"))
			a.begin()
			a.gives("call", a.signed(a.call(520, nil), newMessageID(), time.Now()), 200, "accepted")
			a.waits("hubspot")
			if asked.Load() != 0 {
				t.Error("it was asked in spite of its certificate")
			}
		}},
		{id: "T53", what: "revokes the CRM's token while events come", want: "the connector is parked, no event is used up, and it goes on by itself", long: true, also: []string{"internal/httpx TestAuth"}, try: func(t *testing.T, _ *attacked) {
			var revoked atomic.Bool
			a := answeredBy(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if revoked.Load() {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				next.ServeHTTP(w, r)
			})
			revoked.Store(true)
			for i := range 5 {
				a.gives("call", a.signed(a.call(530+i, nil), newMessageID(), time.Now()), 200, "accepted")
			}
			a.waits("hubspot")
			for _, c := range a.status().Connectors {
				if c.Dead != 0 {
					t.Errorf("%s has %d dead deliveries", c.Name, c.Dead)
				}
			}
			revoked.Store(false)
			_ = a.cmd.Process.Signal(syscall.SIGHUP) // who mends a token reloads; it would come back by itself within the hour
			a.settled()
			a.written(534, func(map[string]any) {})
		}},
		{id: "T54", what: "has a recording's address lead to this machine or to a gigabyte", want: "only fetched where a connector attaches recordings; never from a private address, never more than its limit", also: []string{"connectors/pipedrive TestARecordingOnAPrivateAddressIsNotFetched", "internal/httpx TestADownloadIsBoundedAndFollowsRedirectsOnlyToWhereItMayGo"}},
	}
}

// answeredBy is a daemon whose HubSpot is answered for by somebody.
func answeredBy(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, next http.Handler)) *attacked {
	t.Helper()
	a := prepareAttacked(t, "")
	a.asked = new(atomic.Int64)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer a.asked.Add(1)
		answer(w, r, a.sb)
	}))
	t.Cleanup(evil.Close)
	a.file("config.yaml", strings.ReplaceAll(a.read("config.yaml"), a.crm+"/hubspot", evil.URL+"/hubspot"))
	a.begin()
	return a
}

// waits waits until a connector was answered, or has a reason for being stopped,
// and checks that what it was to write is still there.
func (a *attacked) waits(connector string) {
	a.t.Helper()
	before := int64(0)
	if a.asked != nil {
		before = a.asked.Load()
	}
	if err := poll(func() error {
		for _, c := range a.status().Connectors {
			if c.Name == connector && c.Waiting+c.Dead > 0 && (c.Reason != "" || a.asked != nil && a.asked.Load() > before) {
				return nil
			}
		}
		text, _ := json.Marshal(a.status().Connectors)
		return fmt.Errorf("nothing waits for %s: %s", connector, text)
	}); err != nil {
		a.t.Error(err)
	}
}

func flood(w io.Writer, bytes int) {
	for range bytes >> 16 {
		if _, err := w.Write(make([]byte, 1<<16)); err != nil {
			return
		}
	}
}
