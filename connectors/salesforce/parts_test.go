package salesforce

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	retry := http.Header{"Retry-After": {"7"}}
	one := func(code, message string) string {
		return `[{"errorCode":"` + code + `","message":"` + message + `","fields":[]}]`
	}
	for _, c := range []struct {
		name   string
		status int
		header http.Header
		body   string
		want   connectors.Error // Message is not compared
	}{
		{"the day, which is a 403", 403, nil, one("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), connectors.Error{Kind: connectors.RateLimited, Code: "REQUEST_LIMIT_EXCEEDED", Account: true, Park: true, Wait: 15 * time.Minute}},
		{"too many at once", 403, nil, one("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."), connectors.Error{Kind: connectors.RateLimited, Code: "REQUEST_LIMIT_EXCEEDED", Account: true, Wait: 30 * time.Second}},
		{"a lock, which is a 400", 400, nil, one("UNABLE_TO_LOCK_ROW", "unable to obtain"), connectors.Error{Kind: connectors.Transient, Code: "UNABLE_TO_LOCK_ROW", Wait: 5 * time.Second}},
		{"a lock within a trigger", 400, nil, one("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "X: execution of AfterInsert caused by: UNABLE_TO_LOCK_ROW"), connectors.Error{Kind: connectors.Transient, Code: "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", Wait: 5 * time.Second}},
		{"a trigger", 400, nil, one("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "X: no"), connectors.Error{Kind: connectors.Invalid, Code: "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"}},
		{"no session", 401, nil, one("INVALID_SESSION_ID", "Session expired"), connectors.Error{Kind: connectors.Auth, Code: "INVALID_SESSION_ID", Account: true}},
		{"gone", 404, nil, one("ENTITY_IS_DELETED", "entity is deleted"), connectors.Error{Kind: connectors.NotFound, Code: "ENTITY_IS_DELETED"}},
		{"not Salesforce's", 404, nil, `<html>`, connectors.Error{Kind: connectors.Transient, Account: true, Park: true}},
		{"not looked at", 503, retry, one("SERVER_UNAVAILABLE", "x"), connectors.Error{Kind: connectors.Transient, Code: "SERVER_UNAVAILABLE", Wait: 7 * time.Second}},
		{"an unknown end of a create", 500, nil, one("UNKNOWN_EXCEPTION", "x"), connectors.Error{Kind: connectors.Unknown, Code: "UNKNOWN_EXCEPTION", Wait: 5 * time.Second}},
		{"an edge's 502", 502, nil, `<html>`, connectors.Error{Kind: connectors.Unknown}},
		{"a column that is not there", 400, nil, one("INVALID_FIELD", "No such column 'Foo__c' on sobject of type Contact"), connectors.Error{Kind: connectors.Invalid, Code: "INVALID_FIELD", Field: "Foo__c"}},
		{"a taken value with its record", 400, nil, one("DUPLICATE_VALUE", "duplicate value found: A__c duplicates value on record with id: 0035g0000000005"), connectors.Error{Kind: connectors.Conflict, Code: "DUPLICATE_VALUE", IDs: []string{"0035g0000000005AAA"}}},
		{"data where code and fields should be", 400, nil, `[{"errorCode":"a@example.com","message":"m","fields":["+49 30"]}]`, connectors.Error{Kind: connectors.Invalid}},
		{"a retired version", 404, nil, one("UNSUPPORTED_API_VERSION", "x"), connectors.Error{Kind: connectors.Auth, Code: "UNSUPPORTED_API_VERSION", Account: true, Park: true}},
		{"a redirect", 302, nil, ``, connectors.Error{Kind: connectors.Transient, Account: true, Park: true}},
		{"too many logins", 429, nil, ``, connectors.Error{Kind: connectors.RateLimited, Account: true, Wait: 30 * time.Second}},
		{"null", 400, nil, `null`, connectors.Error{Kind: connectors.Invalid}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := classify(&httpx.Response{Status: c.status, Header: c.header, Body: []byte(c.body)}, false)
			if got.Message == "" {
				t.Error("it has no message")
			}
			got.Message = ""
			if diff := cmp.Diff(c.want, *got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestVerdictsAreOfCodesThatThereAre keeps typing errors out of the table.
func TestVerdictsAreOfCodesThatThereAre(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../shared/specs/salesforce/salesforce-error-code-names.json")
	if err != nil {
		t.Skip("the list of Salesforce's codes is not here")
	}
	var lists map[string]json.RawMessage
	if err := json.Unmarshal(text, &lists); err != nil {
		t.Fatal(err)
	}
	codes := map[string]bool{}
	for _, raw := range lists {
		var list []string
		_ = json.Unmarshal(raw, &list) // the note is no list
		for _, c := range list {
			codes[c] = true
		}
	}
	if len(codes) < 700 {
		t.Fatalf("only %d codes were read", len(codes))
	}
	// Codes of the REST API itself, which are in no list.
	rest := []string{"BAD_GATEWAY", "INVALID_AUTH_HEADER", "SERVICE_UNAVAILABLE", "INSUFFICIENT_ACCESS", "PROCESSING_HALTED", "JSON_PARSER_ERROR", "INVALID_LOGIN",
		"ALL_OR_NONE_OPERATION_ROLLED_BACK", "RECORD_NOT_FOUND", "INVALID_ACCESS_TOKEN"}
	for code := range verdicts {
		if !codes[code] && !slices.Contains(rest, code) {
			t.Errorf("%s is no code of Salesforce's", code)
		}
	}
	for code := range codes {
		v := judge(code, "")
		if _, particular := verdicts[code]; v.message == "" || !particular && v.kind != connectors.Invalid {
			t.Errorf("%s: got %+v, want invalid and a message", code, v)
		}
	}
}

func FuzzClassify(f *testing.F) {
	f.Add(400, []byte(`[{"errorCode":"DUPLICATE_VALUE","message":"id: 0035g0000000005","fields":["x"],"duplicateResult":{"matchResults":[{}]}}]`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		r := &httpx.Response{Status: status, Header: http.Header{}, Body: body}
		for _, e := range []*connectors.Error{classify(r, true), classifyLogin(r), classifyRow(errorsOf(body))} {
			if e.Error() == "" {
				t.Error("no message")
			}
		}
	})
}

// unquote reads quoted text as Salesforce does.
func unquote(t *rapid.T, s string) string {
	if len(s) < 2 || s[0] != '\'' || s[len(s)-1] != '\'' {
		t.Fatalf("%q is not quoted", s)
	}
	var b strings.Builder
	escapes := map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', 'b': '\b', 'f': '\f', '\\': '\\', '\'': '\''}
	for in := s[1 : len(s)-1]; in != ""; in = in[1:] {
		if in[0] == '\'' || in[0] < ' ' {
			t.Fatalf("%q holds a bare %q", s, in[0])
		}
		if in[0] == '\\' {
			in = in[1:]
			c, ok := escapes[in[0]]
			if !ok {
				t.Fatalf("%q holds an escape that there is not", s)
			}
			b.WriteByte(c)
			continue
		}
		b.WriteByte(in[0])
	}
	return b.String()
}

func TestQuotedTextComesBackAndEndsWhereItEnds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringMatching(`['\\nrtu%_"\n ]{0,12}`)).Draw(t, "text")
		want := strings.Map(func(r rune) rune {
			if r < ' ' && !strings.ContainsRune("\n\r\t\b\f", r) || r == 0x7f {
				return -1
			}
			return r
		}, strings.ToValidUTF8(s, "\uFFFD"))
		if got := unquote(t, quote(s)); got != want {
			t.Fatalf("%q came back as %q", s, got)
		}
	})
}

func TestPartsOfManyMatchesStayWithinTheLimit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		composite := rapid.Bool().Draw(t, "composite")
		b := &bucket{object: object{Object: connectors.Object{Name: "Contact"}}, names: []string{"A"}}
		if composite {
			b.names = []string{"A", "B"}
		}
		n := rapid.IntRange(1, 600).Draw(t, "n")
		for i := range n {
			text := rapid.StringN(1, 60, 200).Draw(t, "text")
			p := &probe{terms: []term{{field: connectors.Field{Name: "A", Type: connectors.Text}, cell: text, shown: []string{"A"}}}}
			if composite {
				p.terms = append(p.terms, p.terms[0])
			}
			if i%3 == 0 {
				p.terms[0].phone = "30901820"
			}
			b.probes = append(b.probes, p)
		}
		total := 0
		for _, p := range b.parts(b.probes) {
			total += len(p.probes)
			if size := sized(b.whole(p.probes)); size > maxQuery+200 {
				t.Fatalf("a query of %d characters", size)
			}
		}
		if total != n {
			t.Fatalf("%d of %d matches are asked for", total, n)
		}
	})
}

func TestIDs(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"0015g00000ABcDe": "0015g00000ABcDeAAL", "0015g00000ABcDeAAL": "0015g00000ABcDeAAL", "0015g00000ABcDeAAB": "",
		"": "", "foreign": "", "003000000000000": "003000000000000AAA", "00300000000000'": "", "003000000000000AAAA": "",
	} {
		if got, ok := longID(in); got != want || ok != (want != "") {
			t.Errorf("%q: got %q %v, want %q", in, got, ok, want)
		}
	}
}

func TestUsageSlowsDownNearTheEndAndStopsAtTheReserve(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := newUsage(10)
		pass := func(n int) time.Duration {
			began := time.Now()
			for range n {
				if err := u.wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			return time.Since(began)
		}
		if got := pass(100); got != 0 {
			t.Errorf("before anything is known: waited %v", got)
		}
		u.learn("api-usage=70000/86400; per-app-api-usage=17/250(appName=x)", time.Now())
		pass(1)
		if got := pass(10); got != 10*time.Second {
			t.Errorf("near the end: 10 requests took %v, want the average pace of one a second", got)
		}
		u.learn("api-usage=77760/86400", time.Now())
		if err := u.wait(t.Context()); err == nil || !err.Park || err.Wait != probing {
			t.Errorf("at the reserve: got %v, want it parked", err)
		}
		time.Sleep(probing)
		if err := u.wait(t.Context()); err != nil {
			t.Errorf("the probe: %v", err)
		}
		if err := u.wait(t.Context()); err == nil {
			t.Error("a second probe went out at once")
		}
		u.learn("api-usage=100/86400", time.Now())
		if got := pass(100); got != 0 {
			t.Errorf("when calls came back: waited %v", got)
		}
		for _, text := range []string{"", "x", "api-usage=1/0", "api-usage=a/b", "api-usage=5"} {
			u.learn(text, time.Now())
		}
		if u.used != 100 {
			t.Errorf("nonsense was believed: %d", u.used)
		}
	})
}

func TestFieldTypes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   wireField
		want connectors.Field
	}{
		{wireField{Name: "A", Type: "textarea", ExtraType: "richtextarea", Length: 9, Create: true}, connectors.Field{Name: "A", Native: "textarea", Type: connectors.HTML, MaxLength: 9}},
		{wireField{Name: "A", Type: "combobox", Length: 255, Update: true}, connectors.Field{Name: "A", Native: "combobox", Type: connectors.Text, MaxLength: 255}},
		{wireField{Name: "A", Type: "string", External: true, Unique: true, Create: true}, connectors.Field{Name: "A", Native: "string", Type: connectors.Text, Unique: true, Upsert: true}},
		{wireField{Name: "A", Type: "string", External: true, Create: true}, connectors.Field{Name: "A", Native: "string", Type: connectors.Text}},
		{wireField{Name: "A", Type: "currency"}, connectors.Field{Name: "A", Native: "currency", Type: connectors.Number, ReadOnly: true}},
		{wireField{Name: "A", Type: "address", Create: true}, connectors.Field{Name: "A", Native: "address", Type: connectors.Other, ReadOnly: true}},
		{wireField{Name: "A", Type: "reference", References: []string{"Contact", "Lead"}, Create: true}, connectors.Field{Name: "A", Native: "reference", Type: connectors.Reference, Target: "Contact"}},
	} {
		if diff := cmp.Diff(c.want, fieldOf(c.in)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.in, diff)
		}
	}
}

func TestTheOrgIsWhereTheSessionSaysUnlessItIsSet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ base, instance, want string }{
		{"", "https://example.my.salesforce.com/", "https://example.my.salesforce.com"},
		{"", "http://example.my.salesforce.com", ""},
		{"", "https://evil.example", ""},
		{"", "https://evil.example/.salesforce.com", ""},
		{"", "https://example.my.salesforce.com@evil.example", ""},
		{"", "https://evilsalesforce.com", ""},
		{"", "https://login.example", "https://login.example"}, // where the credentials went too
		{"", "", ""},
		{"http://127.0.0.1:9900/salesforce/", "https://example.my.salesforce.com", "http://127.0.0.1:9900/salesforce"},
	} {
		if got := (&login{cfg: Config{BaseURL: c.base, LoginURL: "https://login.example"}}).site(c.instance); got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
	}
}
