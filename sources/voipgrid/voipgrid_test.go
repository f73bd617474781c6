package voipgrid_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/sources/sourcetest"
	"github.com/crmsyncd/crmsyncd/sources/voipgrid"
)

const token = "f3a9c1d2e4b5968778695a4b3c2d1e0f"

var at = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

func source(t testing.TB) *voipgrid.Source {
	t.Helper()
	s, err := voipgrid.New("phones", voipgrid.Config{}, "DE")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func guard(t testing.TB, allow ...netip.Prefix) *sources.Guard {
	t.Helper()
	g, err := sources.NewGuard([]string{token}, "", allow)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestSource(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, sourcetest.Fixture{Source: source(t), Guard: guard(t), Samples: "testdata", At: at})
}

// TestProof tries what users are told to protect the address with.
func TestProof(t *testing.T) {
	t.Parallel()
	if unsigned, from := source(t).Unsigned(); !unsigned || len(from) > 0 {
		t.Errorf("unsigned %v, addresses %v: want that a token or addresses must be given", unsigned, from)
	}
	inside, outside := netip.MustParseAddr("195.35.114.7"), netip.MustParseAddr("198.51.100.7")
	g := guard(t, netip.MustParsePrefix("195.35.114.0/24"))
	for _, c := range []struct {
		name   string
		token  string
		from   netip.Addr
		status int // of the refusal; 0: none
	}{
		{"token and address", token, inside, 0},
		{"no token", "", inside, http.StatusUnauthorized},
		{"a forged token", strings.Repeat("0", len(token)), inside, http.StatusUnauthorized},
		{"a cut token", token[:31], inside, http.StatusUnauthorized},
		{"the token from elsewhere", token, outside, http.StatusForbidden},
	} {
		err := g.Check(&sources.Request{Token: c.token, Remote: c.from, Header: http.Header{}})
		got := 0
		if r, ok := err.(*sources.Refusal); ok {
			got = r.Status
		}
		if got != c.status {
			t.Errorf("%s: got %d (%v), want %d", c.name, got, err, c.status)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	length := func(d time.Duration) *time.Duration { return &d }
	for _, c := range []struct {
		name string
		cfg  voipgrid.Config
		want time.Duration
		err  string
	}{
		{"nothing set", voipgrid.Config{}, 4 * time.Hour, ""},
		{"never", voipgrid.Config{CloseAfter: length(0)}, 0, ""},
		{"a day", voipgrid.Config{CloseAfter: length(24 * time.Hour)}, 24 * time.Hour, ""},
		{"half a second", voipgrid.Config{CloseAfter: length(time.Second / 2)}, 0, "close_after: wants at least 1s, or 0 for never"},
		{"less than nothing", voipgrid.Config{CloseAfter: length(-time.Hour)}, 0, "close_after: wants at least 1s, or 0 for never"},
		{"an odd base_url", voipgrid.Config{BaseURL: "ftp://x"}, 0, "base_url: not an http or https address"},
	} {
		s, err := voipgrid.New("phones", c.cfg, "DE")
		switch {
		case err != nil && err.Error() != c.err, err == nil && c.err != "":
			t.Errorf("%s: error %v, want %q", c.name, err, c.err)
		case err == nil && s.CloseAfter() != c.want:
			t.Errorf("%s: closes after %v, want %v", c.name, s.CloseAfter(), c.want)
		}
	}
}

func TestGetIsHarmless(t *testing.T) {
	t.Parallel()
	kind, body := source(t).Get()
	if !strings.HasPrefix(kind, "text/plain") || string(body) != "status=ACK" {
		t.Errorf("got %s %q, want the dial plan to go on", kind, body)
	}
}

func parse(t testing.TB, body string) sources.Parsed {
	t.Helper()
	return source(t).Parse(&sources.Request{Method: http.MethodPost, Header: http.Header{}, Body: []byte(body), At: at})
}

// say makes a notification; more replaces or adds fields.
func say(status string, more map[string]any) string {
	m := map[string]any{
		"call_id": "ua0-1", "timestamp": "2026-03-04T09:30:00.5+00:00", "status": status, "version": "v2", "direction": "inbound",
		"caller": map[string]any{"number": "+493023125042"}, "destination": map[string]any{"number": "+493023125900"},
	}
	for k, v := range more {
		if m[k] = v; v == "absent" {
			delete(m, k)
		}
	}
	text, _ := json.Marshal(m)
	return string(text)
}

type fields = map[string]any

// who makes a participant with an account.
func who(number any, account any, users ...string) fields {
	mails := []string{}
	for _, u := range users {
		mails = append(mails, "user"+u+"@example.com")
	}
	return fields{"number": number, "name": nil, "account_number": account, "user_numbers": users, "user_emails": mails}
}

func to(number any, targets ...any) fields {
	return fields{"number": number, "targets": targets}
}

func TestParse(t *testing.T) {
	t.Parallel()
	inbound := func(caller any, destination any) string {
		return say("in-progress", fields{"caller": caller, "destination": destination})
	}
	outbound := func(caller any, destination any) string {
		return say("in-progress", fields{"direction": "outbound", "caller": caller, "destination": destination})
	}
	ended := func(reason any) string { return say("ended", fields{"reason": reason}) }
	for _, c := range []struct {
		name string
		body string
		got  func(sources.Parsed) string
		want string
	}{
		{"created", say("created", nil), state, "call.created created started"},
		{"ringing", say("ringing", nil), state, "call.ringing ringing started"},
		{"in-progress", say("in-progress", nil), state, "call.answered in_progress answered"},
		{"in_progress", say("in_progress", nil), state, "call.answered in_progress answered"},
		{"capitals", say("Ringing", nil), state, "call.ringing ringing started"},
		{"transfer", say("transfer", fields{"merged_id": "ua0-2"}), state, "call.transferred transferred"},
		{"ended", ended("completed"), state, "call.ended completed ended reason completed"},
		{"no-answer", ended("no-answer"), state, "call.ended not_reached ended reason no-answer"},
		{"cancelled", ended("cancelled"), state, "call.ended cancelled ended reason cancelled"},
		{"abandon", ended("abandon"), state, "call.ended abandoned ended reason abandon"},
		{"busy", ended("busy"), state, "call.ended busy ended reason busy"},
		{"failed", ended("failed"), state, "call.ended failed ended reason failed"},
		{"a reason that nobody knows", ended("Kicked Out"), state, "call.ended unknown ended reason kicked-out"},
		{"an end without reason", say("ended", nil), state, "call.ended unknown ended"},
		{"a reason beside another status", say("ringing", fields{"reason": ""}), state, "call.ringing ringing started"},
		{"a status that nobody knows", say("on-hold", nil), typeAndProblem, "unknown "},
		{"no status", say("", nil), typeAndProblem, "unknown "},

		{"version 1", say("ended", fields{"version": "v1"}), typeAndProblem, "unknown "},
		{"version 3", say("ended", fields{"version": "v3"}), typeAndProblem, "unknown "},
		{"version 20", say("ended", fields{"version": "v20"}), typeAndProblem, "unknown "},
		{"version 2.1", say("ended", fields{"version": "v2.1"}), typeAndProblem, "call.ended "},
		{"no version", say("ended", fields{"version": "absent"}), typeAndProblem, "call.ended "},
		{"a transfer of version 1", `{"call_id":"1","status":"transfer","reason":"transfered","party1":{"number":"1"},"party2":{"number":"2"},"caller":{"number":"3"}}`, typeAndProblem, "unknown "},
		{"nothing at all", `{}`, typeAndProblem, "unknown "},

		{"a call id that is a number", say("ended", fields{"call_id": json.Number("12345678901234567890")}), calls, "12345678901234567890"},
		{"no call id", say("ended", fields{"call_id": nil}), typeAndProblem, "call.ended a notification without the id of its call"},
		{"a call id that is an object", say("ended", fields{"call_id": fields{}}), typeAndProblem, "call.ended a notification without the id of its call"},
		{"the merged id comes second", say("transfer", fields{"merged_id": "ua0-2"}), calls, "ua0-1 ua0-2"},
		{"a call merged into itself", say("transfer", fields{"merged_id": "ua0-1"}), calls, "ua0-1"},

		{"a time without fraction", say("ended", fields{"timestamp": "2026-03-04T10:30:00+01:00"}), occurred, "2026-03-04T09:30:00Z"},
		{"a time with microseconds", say("ended", fields{"timestamp": "2026-03-04T09:30:00.412031+00:00"}), occurred, "2026-03-04T09:30:00.412031Z"},
		{"a time with an offset without colon", say("ended", fields{"timestamp": "2026-03-04T09:30:00.412031+0000"}), occurred, "2026-03-04T09:30:00.412031Z"},
		{"a time without zone", say("ended", fields{"timestamp": "2026-03-04T09:30:00"}), occurred, "2026-03-04T09:30:00Z"},
		{"milliseconds", say("ended", fields{"timestamp": 1772616600500}), occurred, "2026-03-04T09:30:00.5Z"},
		{"no time is that of the receipt, which the caller knows", say("ended", fields{"timestamp": nil}), occurred, "0001-01-01T00:00:00Z"},
		{"no time at all", say("ended", fields{"timestamp": "soon"}), typeAndProblem, "call.ended timestamp is no time"},
		{"a time years ago", say("ended", fields{"timestamp": "2009-12-01T00:00:00Z"}), typeAndProblem, "call.ended timestamp is before 2010"},
		{"a time next month", say("ended", fields{"timestamp": "2026-04-10T00:00:00Z"}), typeAndProblem, "call.ended timestamp is more than 24 hours ahead"},

		{"a caller from outside", inbound(who("+493023125042", nil), to("+493023125900", who("+493023125900", 201, "21"))), parties, "inbound +493023125042 > +493023125900 contact +493023125042"},
		{"a national number", inbound(who("030 23125042", nil), to("03023125900")), parties, "inbound +493023125042 > +493023125900 contact +493023125042"},
		{"a number with 00", inbound(who("0031102345678", nil), to("+493023125900")), parties, "inbound +31102345678 > +493023125900 contact +31102345678"},
		{"a number without plus", inbound(who("493023125042", nil), to("493023125900")), parties, "inbound +493023125042 > +493023125900 contact +493023125042"},
		{"withheld", inbound(who("anonymous", nil), to("+493023125900")), parties, "inbound  > +493023125900 no contact"},
		{"withheld as 0", inbound(who("0", nil), to("+493023125900", who("+493023125900", 201))), parties, "inbound  > +493023125900 no contact"},
		{"withheld as 00", inbound(who("00", nil), to("+493023125900", who("+493023125900", 201))), parties, "inbound  > +493023125900 no contact"},
		{"withheld as 0000", inbound(who("0000", nil), to("+493023125900", who("+493023125900", 201))), parties, "inbound  > +493023125900 no contact"},
		{"withheld as 00000000", inbound(who("00000000", nil), to("+493023125900", who("+493023125900", 201))), parties, "inbound  > +493023125900 no contact"},
		{"withheld as +490000000000", inbound(who("+490000000000", nil), to("+493023125900", who("+493023125900", 201))), parties, "inbound  > +493023125900 no contact"},
		{"withheld as 999999", inbound(who("999999", nil), to("+493023125900", who("+493023125900", 201))), parties, "inbound  > +493023125900 no contact"},
		{"withheld as 266696687", inbound(who("266696687", nil), to("+493023125900", who("+493023125900", 201))), parties, "inbound  > +493023125900 no contact"},
		{"withheld as +49266696687", inbound(who("+49266696687", nil), to("+493023125900", who("+493023125900", 201))), parties, "inbound  > +493023125900 no contact"},
		{"internal and withheld", say("ended", fields{"direction": "internal", "caller": who("0000", nil)}), parties, "internal  > +493023125900 no contact"},
		{"an account of nines", outbound(who("999999", 999999), to("202", who("202", 202))), parties, "internal 999999 > 202 no contact"},
		{"empty", inbound(who("", nil), to("+493023125900")), parties, "inbound  > +493023125900 no contact"},
		{"unknown", inbound(who("unknown", nil), to("+493023125900")), parties, "inbound  > +493023125900 no contact"},
		{"null", inbound(who(nil, nil), to("+493023125900")), parties, "inbound  > +493023125900 no contact"},
		{"no caller", inbound(nil, to("+493023125900")), parties, "inbound  > +493023125900 no contact"},
		{"a caller that is text", inbound("+493023125042", "+493023125900"), parties, "inbound +493023125042 > +493023125900 contact +493023125042"},
		{"a colleague who calls in from a phone elsewhere", inbound(who("+491713920077", 203), to("+493023125900", who("+491713920078", nil))), parties, "inbound +491713920077 > +493023125900 no contact"},

		{"outbound as it was typed", outbound(who("+493023125900", 201, "21"), to("030-231 250 42", who("+493023125042", nil))), parties, "outbound +493023125900 > +493023125042 contact +493023125042"},
		{"outbound to a country that there is not", outbound(who("201", 201), to("+999000000000")), parties, "outbound 201 > +999000000000 contact +999000000000"},
		{"outbound to no number", outbound(who("201", 201), to("+0000000000")), parties, "outbound 201 >  no contact"},
		{"outbound to a withheld number", outbound(who("+493023125900", 201), to("")), parties, "outbound +493023125900 >  no contact"},
		{"colleagues", outbound(who("201", 201), to("202", who("202", 202))), parties, "internal 201 > 202 no contact"},
		{"colleagues by their numbers only", outbound(who("201", nil), to("1002")), parties, "internal 201 > 1002 no contact"},
		{"colleagues by their accounts, seen as one number", outbound(who("+493023125900", 201), to("+493023125901", who("+493023125901", []int{202, 203}))), parties, "internal +493023125900 > +493023125901 no contact"},
		{"a group of colleagues", outbound(who("201", "201"), to("400", who("202", 202), who("203", 203))), parties, "internal 201 > 400 no contact"},
		{"a colleague at a fixed destination", outbound(who("201", 201), to("203", who("+491713920077", nil, "30"))), parties, "internal 201 > 203 no contact"},
		{"one of two targets is outside", outbound(who("201", 201), to("202", who("202", 202), who("+493023125042", nil))), parties, "outbound 201 > 202 no contact"},
		{"five digits with an account", outbound(who(20123, 20123), to("20124", who("20124", 20124))), parties, "internal 20123 > 20124 no contact"},
		{"no direction", say("ended", fields{"direction": nil}), parties, "unknown +493023125042 > +493023125900 no contact"},
		{"a direction that nobody knows", say("ended", fields{"direction": "sideways"}), parties, "unknown +493023125042 > +493023125900 no contact"},

		{"a caller's name", inbound(fields{"number": "+493023125042", "name": "Erika Beispiel"}, nil), named, "Erika Beispiel at "},
		{"a caller's name and company", inbound(fields{"number": "+493023125042", "name": "Erika | Beispiel GmbH"}, nil), named, "Erika at Beispiel GmbH"},
		{"a caller's company", inbound(fields{"number": "+493023125042", "name": " | Beispiel GmbH"}, nil), named, "| Beispiel GmbH at "},
		{"a name that is a number", inbound(fields{"number": "+493023125042", "name": "+49 30 23125042"}, nil), named, " at "},
		{"a name that is none", inbound(fields{"number": "+493023125042", "name": "Anonymous"}, nil), named, " at "},
		{"a colleague's name and mail are not the contact's", outbound(fields{"number": "201", "name": "Vertrieb", "account_number": 201, "user_emails": []string{"v@example.com"}}, to("+493023125042")), named, " at "},

		{"who answered is the agent", inbound(who("+493023125042", nil), to("+493023125900", who("+493023125900", 201, "21", "22"))), agent, "21 user21@example.com"},
		{"a single target", inbound(who("+493023125042", nil), fields{"number": "202", "target": fields{"number": "202", "account_number": 202}}), agent, "202 "},
		{"a list called target", inbound(who("+493023125042", nil), fields{"number": "202", "target": []any{who("202", 202)}}), agent, "202 "},
		{"an object called targets", inbound(who("+493023125042", nil), fields{"number": "202", "targets": who("202", 202)}), agent, "202 "},
		{"accounts in a list", inbound(who("+493023125042", nil), to("+493023125900", who("+493023125900", []any{nil, 204, 205}))), agent, "204 "},
		{"an account of text", inbound(who("+493023125042", nil), to("+493023125900", who("+493023125900", "201"))), agent, "201 "},
		{"an empty list of accounts", inbound(who("+493023125042", nil), to("+493023125900", who("202", []any{}))), agent, "202 "},
		{"a phone elsewhere with a user", inbound(who("+493023125042", nil), to("+493023125900", who("+491713920077", nil, "30"))), agent, "30 user30@example.com"},
		{"a phone elsewhere without user", inbound(who("+493023125042", nil), to("+493023125900", who("+491713920077", nil))), agent, "none"},
		{"two targets", inbound(who("+493023125042", nil), to("+493023125900", who("201", 201), who("202", 202))), agent, "none"},
		{"ringing", say("ringing", fields{"destination": to("+493023125900", who("+493023125900", 201, "21"))}), agent, "none"},
		{"the caller of an outbound call", outbound(who("+493023125900", 201, "21"), to("+493023125042", who("+493023125042", nil))), agent, "21 user21@example.com"},
		{"the number of all outbound calls is nobody's", outbound(who("+493023125900", nil), to("+493023125042")), agent, "none"},
		{"the caller of an internal call", outbound(who("201", 201), to("202", who("202", 202))), agent, "201 "},
		{"a warm transfer reaches its target", say("warm-transfer", fields{"destination": to("1", who("202", 202, "22")), "redirector": who("201", 201, "21")}), agent, "22 user22@example.com"},
		{"a cold transfer reaches nobody yet", say("cold-transfer", fields{"destination": to("1", who("202", 202, "22")), "redirector": who("201", 201, "21")}), agent, "none"},
		{"a transfer of either kind reaches its target if it was warm", say("transfer", fields{"destination": to("1", who("202", 202, "22"))}), agent, "22 user22@example.com"},
		{"a transfer to many reaches nobody yet", say("transfer", fields{"destination": to("1", who("202", 202), who("203", 203))}), agent, "none"},

		{"warm", say("warm-transfer", fields{"destination": to("1", who("202", 202))}), transfer, "warm"},
		{"cold", say("cold-transfer", fields{"destination": to("1", who("202", 202))}), transfer, "cold"},
		{"either", say("transfer", fields{"destination": to("1", who("202", 202))}), transfer, ""},
		{"to many is cold", say("transfer", fields{"destination": to("1", who("202", 202), who("203", 203))}), transfer, "cold"},

		{"an array", `[{}]`, typeAndProblem, "unknown the payload is no JSON object"},
		{"null", `null`, typeAndProblem, "unknown the payload is no JSON object"},
		{"two documents", `{}{}`, typeAndProblem, "unknown not JSON: something follows the document at byte 2"},
		{"a duplicate key", `{"status":"ended","status":"ringing"}`, typeAndProblem, "unknown ambiguous: a key occurs twice in one object, at byte 19"},
		{"deep nesting", strings.Repeat("[", 1<<20), typeAndProblem, "unknown nested deeper than 64 levels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := c.got(parse(t, c.body)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func state(p sources.Parsed) string {
	c := p.Event.Call
	s := string(p.Event.Type) + " " + c.Status
	for _, m := range []struct {
		name string
		time time.Time
	}{{"started", c.StartedAt}, {"answered", c.AnsweredAt}, {"ended", c.EndedAt}} {
		if m.time.Equal(p.Event.OccurredAt) {
			s += " " + m.name
		}
	}
	if c.Reason != "" {
		s += " reason " + c.Reason
	}
	return s
}

func typeAndProblem(p sources.Parsed) string { return string(p.Event.Type) + " " + p.Problem }
func calls(p sources.Parsed) string          { return strings.Join(p.Calls, " ") }
func occurred(p sources.Parsed) string       { return p.Event.OccurredAt.Format(time.RFC3339Nano) }
func named(p sources.Parsed) string {
	return p.Event.Contact.FullName + " at " + p.Event.Contact.Company
}
func transfer(p sources.Parsed) string { return p.Event.Call.Transfer }

func parties(p sources.Parsed) string {
	c, contact := p.Event.Call, "no contact"
	if p.Event.Contact != nil {
		contact = "contact " + p.Event.Contact.Phone + p.Event.Contact.Email
	}
	return fmt.Sprintf("%s %s > %s %s", c.Direction, c.From, c.To, contact)
}

func agent(p sources.Parsed) string {
	a := p.Event.Call.Agent
	if a == nil {
		return "none"
	}
	return a.Number + " " + a.Email
}

func TestContentKey(t *testing.T) {
	t.Parallel()
	later := fields{"timestamp": "2026-03-04T09:30:00.6+00:00"}
	with := func(a fields, k string, v any) fields { return fields{"timestamp": a["timestamp"], k: v} }
	for _, c := range []struct {
		name string
		a, b string
		same bool
	}{
		{"the same notification", say("ringing", nil), say("ringing", nil), true},
		{"the same in another order of fields", `{"version":"v2","status":"created","call_id":"1","caller":{}}`, `{"call_id":"1","caller":{},"status":"created","version":"v2"}`, true},
		{"phones that ring later", say("ringing", nil), say("ringing", later), false},
		{"more phones that ring", say("ringing", fields{"destination": to("1", who("202", 202))}), say("ringing", fields{"destination": to("1", who("202", 202), who("203", 203))}), false},
		{"an account given as text", say("ringing", fields{"destination": to("1", who("202", 202))}), say("ringing", fields{"destination": to("1", who("202", "202"))}), true},
		{"the end told to two endpoints", say("ended", fields{"reason": "busy"}), say("ended", with(later, "reason", "busy")), true},
		{"two reasons of ends", say("ended", fields{"reason": "busy"}), say("ended", fields{"reason": "no-answer"}), false},
		{"two calls", say("ended", nil), say("ended", fields{"call_id": "ua0-2"}), false},
		{"two moments of a call", say("created", nil), say("ended", nil), false},
		{"transfers to two calls", say("transfer", fields{"merged_id": "a"}), say("transfer", fields{"merged_id": "b"}), false},
	} {
		a, b := parse(t, c.a).ContentKey, parse(t, c.b).ContentKey
		if a == "" || b == "" || !strings.HasPrefix(a, "voipgrid:") || (a == b) != c.same {
			t.Errorf("%s: %q and %q, want the same: %v", c.name, a, b, c.same)
		}
	}
}

// TestSequences reads whole calls: every notification is understood, and all
// of one call name ids that hang together.
func TestSequences(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("testdata/sequences/*.json")
	if len(files) < 5 {
		t.Fatalf("only %d sequences are there", len(files))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var bodies []json.RawMessage
		if err := json.Unmarshal(text, &bodies); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		ids, keys := []string{}, map[string]bool{}
		for i, body := range bodies {
			p := parse(t, string(body))
			if p.Problem != "" || p.Event.Type == event.Unknown || p.ContentKey == "" || keys[p.ContentKey] || len(p.Calls) == 0 || p.Calls[0] != p.Event.Call.ID {
				t.Errorf("%s: notification %d: %s %q, key %q, calls %v", file, i, p.Event.Type, p.Problem, p.ContentKey, p.Calls)
			}
			keys[p.ContentKey] = true
			for _, id := range p.Calls {
				if !slices.Contains(ids, id) {
					ids = append(ids, id)
				}
			}
			if last := i == len(bodies)-1; last != (p.Event.Type == event.CallEnded) {
				t.Errorf("%s: notification %d is %s", file, i, p.Event.Type)
			}
		}
		if len(ids) > 2 {
			t.Errorf("%s: %d calls, want at most two", file, len(ids))
		}
	}
}

// TestSequencesAreOneCall joins each sequence: what single notifications say
// must be enough for the whole call.
func TestSequencesAreOneCall(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"simple_call":                "completed talk 293s agent 21 transfer ",
		"call_pickup":                "completed talk 293s agent 22 transfer ",
		"attended_transfer_same_id":  "completed talk 293s agent 22 transfer warm",
		"blind_transfer_answered":    "completed talk 293s agent 203 transfer cold",
		"blind_transfer_unanswered":  "completed talk 293s agent 21 transfer cold",
		"attended_plain_transfer":    "completed talk 293s agent 22 transfer warm",
		"attended_transfer_reversed": "completed talk 293s agent 22 transfer warm",
	} {
		file := name
		if strings.HasPrefix(name, "attended_") {
			file = "attended_transfer_same_id"
		}
		text, err := os.ReadFile("testdata/sequences/sequence_" + file + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if name == "attended_plain_transfer" {
			text = []byte(strings.Replace(string(text), `"warm-transfer"`, `"transfer"`, 1))
		}
		var bodies []json.RawMessage
		if err := json.Unmarshal(text, &bodies); err != nil {
			t.Fatal(err)
		}
		var story []*event.Event
		for _, body := range bodies {
			story = append(story, parse(t, string(body)).Event)
		}
		last := story[len(story)-1]
		if name == "attended_transfer_reversed" {
			slices.Reverse(story)
		}
		e := event.Join(last, story)
		c := e.Call
		if c.Duration == nil || c.Agent == nil || e.Contact == nil {
			t.Errorf("%s: %+v, contact %+v", name, c, e.Contact)
			continue
		}
		got := fmt.Sprintf("%s talk %vs agent %s transfer %s", c.Status, *c.Duration, c.Agent.Number, c.Transfer)
		if got != want || e.Contact.FullName != "Erika" || e.Contact.Phone != "+493023125042" || c.To != "+493023125900" {
			t.Errorf("%s: got %q, want %q; contact %+v, to %s", name, got, want, e.Contact, c.To)
		}
	}
}

func TestSamplesAreUnderstoodAndRepeat(t *testing.T) {
	t.Parallel()
	s := source(t)
	keys := map[string]string{}
	for _, kind := range s.Samples() {
		for _, n := range []int{0, 1, 17, 1234, -17} {
			body, err := s.Sample(kind, n, at)
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			if again, err := s.Sample(kind, n, at); err != nil || string(body) != string(again) {
				t.Errorf("%s %d is another one the second time (%v)", kind, n, err)
			}
			p := parse(t, string(body))
			if p.Problem != "" || p.Event.Type == event.Unknown || p.Event.Call.Status == "unknown" || !p.Event.OccurredAt.Equal(at) || p.Event.Call.From == "" || p.Event.Call.To == "" {
				t.Errorf("%s %d: problem %q, %+v", kind, n, p.Problem, p.Event)
			}
			internal := kind == "call_internal" || kind == "call_consulting"
			if internal != (p.Event.Contact == nil) || internal != (p.Event.Call.Direction == "internal") {
				t.Errorf("%s %d: %s with the contact %+v", kind, n, p.Event.Call.Direction, p.Event.Contact)
			}
			if n < 0 {
				continue // the same person as above
			}
			if other := keys[p.ContentKey]; other != "" {
				t.Errorf("%s %d has the content key of %s", kind, n, other)
			}
			keys[p.ContentKey] = kind
		}
	}
	if _, err := s.Sample("nonsense", 0, at); err == nil {
		t.Error("an unknown kind was made")
	}
}

func TestSamplesOfOnePersonAreOneCall(t *testing.T) {
	t.Parallel()
	s := source(t)
	for i, kind := range []string{"call_created", "call_ringing", "call_answered", "call_warm_transferred", "call_completed"} {
		body, err := s.Sample(kind, 17, at.Add(time.Duration(i)*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if id := parse(t, string(body)).Calls[0]; id != "ua0-exa-prd-1772616601.171" {
			t.Errorf("%s is of call %s", kind, id)
		}
	}
	transfer, _ := s.Sample("call_warm_transferred", 17, at)
	leg, _ := s.Sample("call_consulting", 17, at)
	if a, b := parse(t, string(transfer)).Event.Call.MergedID, parse(t, string(leg)).Event.Call.ID; a != b {
		t.Errorf("the transfer merges %s, and the call to the colleague is %s", a, b)
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.json")
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	s := source(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		p := s.Parse(&sources.Request{Header: http.Header{}, Body: body, At: at})
		if p.Event == nil {
			t.Fatal("Event is nil")
		}
		if p.Problem != "" && (p.ContentKey != "" || len(p.Calls) > 0) {
			t.Error("a problem, and a content key or calls")
		}
		if o := p.Event.OccurredAt; !o.IsZero() && (o.Year() < 2009 || o.After(at.Add(25*time.Hour))) {
			t.Errorf("an event of %v would freeze its contact", o)
		}
		if p.Event.Type != event.Unknown && p.Problem == "" && (p.ContentKey == "" || p.Event.Call == nil || p.Event.Call.ID == "" || p.Event.Call.Status == "" || len(p.Calls) == 0) {
			t.Errorf("%s is understood without the id of its call", p.Event.Type)
		}
		if c := p.Event.Contact; c != nil && c.Phone == "" {
			t.Error("a contact without number")
		}
	})
}
