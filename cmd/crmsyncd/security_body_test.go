package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/crmsyncd/crmsyncd/sources"
)

func threatsOfBodies() []threat {
	return []threat{
		{id: "T29", what: "sends no JSON, nothing, `null`, a list, two documents, a byte order mark", want: "200 and kept aside where the sender is proved, else 401", try: func(t *testing.T, a *attacked) {
			for what, body := range map[string]string{"text": "hello", "nothing": "", "null": "null", "a list": "[1]", "two documents": "{}{}", "a mark": "\ufeff{}", "a number": "1", "a comment": "{} // x", "half": `{"a":`} {
				a.gives(what, a.signed(body, newMessageID(), time.Now()), 200, "quarantined")
				unsigned := a.signed(body, newMessageID(), time.Now())
				unsigned.Header.Del(signatureHeader(unsigned))
				a.gives(what+", unsigned", unsigned, 401, "error")
			}
		}},
		{id: "T30", what: "nests a megabyte of `[`", want: "kept aside at once", try: func(t *testing.T, a *attacked) {
			for _, body := range []string{strings.Repeat("[", 1<<20), strings.Repeat(`{"a":`, 200_000), strings.Repeat("[", 65) + strings.Repeat("]", 65)} {
				a.gives(body[:8], a.signed(body, newMessageID(), time.Now()), 200, "quarantined")
			}
		}},
		{id: "T31", what: "names a key twice, also in another case", want: "kept aside: readers differ in which they take", try: func(t *testing.T, a *attacked) {
			for _, body := range []string{`{"event": "call_ended", "event": "x"}`, `{"event": "call_ended", "EVENT": "x"}`, `{"event": "x", "\u0065vent": "y"}`, `{"a": {"status": 1, "Status": 2}}`} {
				a.gives(body, a.signed(body, newMessageID(), time.Now()), 200, "quarantined")
			}
		}},
		{id: "T32", what: "sends NUL, half a surrogate, text that runs backwards, bytes that are no UTF-8", want: "kept as it came; no NUL reaches a CRM, and half a character becomes �", try: func(t *testing.T, a *attacked) {
			a.gives("no UTF-8", a.signed("{\"event\": \"\xff\xfe\"}", newMessageID(), time.Now()), 200, "quarantined")
			body := strings.Replace(a.call(320, func(_, contact map[string]any) { contact["first_name"] = "@@" }), "@@", `A\u0000B\ud800C\u202eD\u200b`, 1)
			a.gives("NUL", a.signed(body, newMessageID(), time.Now()), 200, "accepted")
			a.settled()
			a.written(320, func(fields map[string]any) {
				if name := fmt.Sprint(fields["firstname"]); strings.Contains(name, "\x00") || !utf8.ValidString(name) || !strings.HasPrefix(name, "A") {
					t.Errorf("the CRM has the name %q", name)
				}
			})
		}},
		{id: "T33", what: "sends `1e400`, ids of 10^23, a megabyte of digits", want: "ids stay as they are, numbers are bounded; nothing breaks", try: func(t *testing.T, a *attacked) {
			for i, number := range []string{"1e400", "-1e400", "100000000000000000000001", strings.Repeat("9", 1<<20), "0.1e-999"} {
				body := strings.Replace(a.call(330+i, func(call, _ map[string]any) { call["attempt"] = 77777777 }), "77777777", number, 1)
				a.gives(number[:5], a.signed(body, newMessageID(), time.Now()), 200, "")
			}
			a.settled()
		}},
		{id: "T34", what: "sends 200,000 keys", want: "time and memory grow with the size only", try: func(t *testing.T, a *attacked) {
			var b strings.Builder
			for i := range 200_000 {
				fmt.Fprintf(&b, `,"k%d":1`, i)
			}
			a.gives("keys", a.signed(`{"event":"x"`+b.String()+"}", newMessageID(), time.Now()), 200, "")
		}},
		{id: "T35", what: "has a name of 500 kB, or of 5 MB", want: "cut at the CRM's limit, between characters; over 1 MiB of text dead with a reason, and nothing else waits for it", try: func(t *testing.T, a *attacked) {
			a.gives("name", a.signed(a.call(350, func(_, contact map[string]any) { contact["last_name"] = strings.Repeat("Ä", 250_000) }), newMessageID(), time.Now()), 200, "accepted")
			a.gives("a longer one", a.signed(a.call(351, func(_, contact map[string]any) { contact["last_name"] = strings.Repeat("Ä", 5<<19) }), newMessageID(), time.Now()), 200, "accepted")
			a.settled()
			a.written(350, func(fields map[string]any) {
				name := fmt.Sprint(fields["lastname"])
				if n := utf8.RuneCountInString(name); n > 65_536 || n < 1000 || !utf8.ValidString(name) {
					t.Errorf("the CRM has a name of %d characters", n)
				}
			})
		}},
		{id: "T36", what: "dates an event to 1970, to the year 9999, to 24:60", want: "read in its unit, or kept aside: it would freeze its contact's order for ever", try: func(t *testing.T, a *attacked) {
			now := time.Now()
			for i, at := range []any{0, 253402300799000, "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "2026-01-01T24:60:00Z", now.Add(48 * time.Hour).UnixMilli(), -1, "yesterday"} {
				body := a.call(360+i, func(call, _ map[string]any) { call["started_at"], call["ended_at"], call["triggered_at"] = at, at, at })
				a.gives(fmt.Sprint(at), a.signed(body, newMessageID(), time.Now()), 200, "quarantined")
			}
		}},
		{id: "T37", what: "calls from `anonymous`, `*31#`, 40 digits, a SIP address, full-width digits", want: "the call is logged; what is no number is left out", try: func(t *testing.T, a *attacked) {
			for i, number := range []string{"anonymous", "*31#", strings.Repeat("4", 40), "sip:+4930@evil.example;x=1", "＋４９３０１２３４５６", "+49 (0)30 123456", "abc", "", "+", "0", "+49 30 1234\r\n5678", "\u202e+49301234"} {
				body := a.call(370+i, func(call, contact map[string]any) {
					call["from_number"], call["to_number"], contact["phone_number"] = number, number, number
				})
				a.gives(number, a.signed(body, newMessageID(), time.Now()), 200, "accepted")
			}
			a.settled()
			for i := range 12 {
				if n := a.hubspot("calls", "telli_call_id", a.callID(370+i)); len(n) != 1 {
					t.Errorf("the call of number %d is %d times in the CRM", i, len(n))
				}
			}
		}},
		{id: "T38", what: "sends events nobody knows, new fields, a list where an object was", want: "200; what is known is used", try: func(t *testing.T, a *attacked) {
			a.gives("unknown", a.signed(`{"event": "robot_uprising", "call": {"call_id": 7}}`, newMessageID(), time.Now()), 200, "unknown")
			body := a.call(385, func(call, contact map[string]any) {
				call["new_field"], call["call_outcome"], contact["contact_details"], call["transcript"] = map[string]any{"a": []int{1}}, []int{1}, "text", []any{map[string]any{"x": 1}}
			})
			a.gives("other shapes", a.signed(body, newMessageID(), time.Now()), 200, "accepted")
			a.settled()
			a.written(385, func(map[string]any) {})
		}},
		{id: "T39", what: "ends a call that never began, or one of ten years ago", want: "200, written as it is told", try: func(t *testing.T, a *attacked) {
			at := time.Now().AddDate(-10, 0, 0).UnixMilli()
			a.gives("old", a.signed(a.call(390, func(call, _ map[string]any) {
				call["started_at"], call["ended_at"], call["triggered_at"] = at, at+1, at
			}), newMessageID(), time.Now()), 200, "accepted")
			a.gives("backwards", a.signed(a.call(391, func(call, _ map[string]any) {
				call["started_at"], call["ended_at"] = time.Now().UnixMilli(), time.Now().Add(-time.Hour).UnixMilli()
			}), newMessageID(), time.Now()), 200, "")
			a.settled()
			a.written(390, func(map[string]any) {})
		}},
	}
}

// call is the payload of a finished call with person n, changed.
func (a *attacked) call(n int, change func(call, contact map[string]any)) string {
	a.t.Helper()
	text, err := a.src.(sources.Sampler).Sample("call_completed", n, time.Now().Add(-time.Hour))
	if err != nil {
		a.t.Fatal(err)
	}
	var p struct {
		Event   string         `json:"event"`
		Call    map[string]any `json:"call"`
		Contact map[string]any `json:"contact"`
	}
	if err := json.Unmarshal(text, &p); err != nil {
		a.t.Fatal(err)
	}
	if change != nil {
		change(p.Call, p.Contact)
	}
	p.Call["call_id"] = a.callID(n)
	if text, err = json.Marshal(p); err != nil {
		a.t.Fatal(err)
	}
	return string(text)
}

func (a *attacked) callID(n int) string { return fmt.Sprintf("attack-call-%d", n) }

func (a *attacked) contactID(n int) string { return fmt.Sprintf("0f9a6b2e-0000-4d11-8a31-%012d", n) }

// hubspot are the fields of the records of an object with a value in a field.
func (a *attacked) hubspot(object, field, value string) (out []map[string]any) {
	for _, r := range a.sb.Records("hubspot", object) {
		if fmt.Sprint(r.Fields[field]) == value {
			out = append(out, r.Fields)
		}
	}
	return out
}

// written checks that person n and the call are in the CRM once, and more of
// the person.
func (a *attacked) written(n int, check func(contact map[string]any)) {
	a.t.Helper()
	contacts, calls := a.hubspot("contacts", "telli_contact_id", a.contactID(n)), a.hubspot("calls", "telli_call_id", a.callID(n))
	if len(contacts) != 1 || len(calls) != 1 {
		a.t.Fatalf("the CRM has %d contacts and %d calls, want one of each", len(contacts), len(calls))
	}
	check(contacts[0])
}

func (a *attacked) read(name string) string {
	a.t.Helper()
	text, err := os.ReadFile(filepath.Join(a.dir, name))
	if err != nil {
		a.t.Fatal(err)
	}
	return string(text)
}
