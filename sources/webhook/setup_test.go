package webhook_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/sources/webhook"
)

func text(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func TestSettingsThatAreWrongAreToldWithTheirPlace(t *testing.T) {
	t.Parallel()
	ok := "event: =raw.event\n"
	for _, c := range []struct{ name, settings, want string }{
		{"no event", "secret: x", "event: it is missing"},
		{"an unknown preset", "preset: aircal", "preset: there is none of that name; did you mean aircall?"},
		{"an unknown key", ok + "feilds: {}", `config.yaml:2:1: unknown key "feilds" (did you mean fields?)`},
		{"an unknown path", ok + "fields: {call.statsu: =raw.x}", "config.yaml:2:10: unknown path call.statsu (did you mean call.status?)"},
		{"a path on the wrong side", ok + "fields: {raw.x: =call.id}", "config.yaml:2:10: unknown path raw.x (on the left stands a path of the model"},
		{"the event's own values", ok + "fields: {event.type: =raw.x}", "the event's own values have settings of their own"},
		{"a path of the model in a formula", ok + "fields: {call.id: =call.id}", "config.yaml:2:20: unknown name call (nothing but raw is known before the payload is read"},
		{"an unknown function", ok + "fields: {call.id: =uper(raw.x)}", "config.yaml:2:20: unknown function uper (did you mean upper?)"},
		{"a broken formula", ok + "fields:\n  call.id: =raw.x +\n", "config.yaml:3:19: the formula ends too early"},
		{"a forgotten =", ok + "fields: {call.id: raw.x}", "config.yaml:2:19: this is plain text, not the value of raw.x (write =raw.x)"},
		{"a formula of the wrong kind", ok + "fields: {call.duration: '=[1,2]'}", "config.yaml:2:25: this gives a list, and text, a number or a duration is wanted"},
		{"a list where a formula belongs", ok + "fields: {call.id: [a]}", "config.yaml:2:19: wants a formula or a value"},
		{"a type that is none", ok + "events: {hangup: call.endet}", `config.yaml:2:18: "call.endet" is none of those that can stand here (did you mean call.ended?)`},
		{"a status that is none", ok + "statuses: {ok: done}", `config.yaml:2:16: "done" is none of those that can stand here`},
		{"a direction that is none", ok + "directions: {x: up}", "known here: inbound, outbound, internal, unknown"},
		{"a table that is not there", ok + "identity: =table(\"x\", raw.a)", `config.yaml:2:18: unknown table "x" (add it under tables:)`},
		{"a body that is none", ok + "body: xml", "body: it is json, form or jwt"},
		{"a delivery header that is none", ok + "delivery_header: 'x y'", "delivery_header: it cannot be the name of a header"},
		{"closing what is not joined", ok + "close_after: 1h", "close_after: it is for calls that are told by several events"},

		{"an event of a call without its id", ok + "events: {x: call.ended}\nfields: {call.from: =raw.from}", "config.yaml:2:13: call.ended needs call.id, and fields does not fill it (add a line to fields, such as call.id: =raw.id)"},
		{"an event of a call that rings without its id", ok + "events: {x: call.ringing}", "config.yaml:2:13: call.ringing needs call.id"},
		{"always an event of a call without its id", "event: call.ended", "config.yaml:1:8: call.ended needs call.id"},
		{"an event of a contact without one", ok + "events: {x: contact.updated}\nfields: {contact.company: =raw.x}", "contact.updated needs contact.id"},
		{"a status that nobody tells", ok + "events: {x: contact.status_changed}\nfields: {contact.email: =raw.x}", "contact.status_changed needs contact.status"},
		{"a conversation of nobody", ok + "events: {x: conversation.opened}", "conversation.opened needs conversation.id"},
		{"a message without id", ok + "events: {x: message.sent}\nfields: {contact.id: =raw.x}", "message.sent needs message.id"},
		{"a preset's id switched off", "preset: retell\nsecret: 0123456789\nfields: {call.id: }", "needs call.id"},
		{"a text that is no time", ok + "fields: {call.started_at: gestern}", "config.yaml:2:27: call.started_at cannot hold this value (write it like 2026-03-04T09:30:00Z"},
		{"a text that is no time of the event", ok + "occurred_at: gestern", "config.yaml:2:14: occurred_at cannot hold this value"},
		{"a text that is no length", ok + "fields: {call.duration: long}", "call.duration cannot hold this value (write seconds"},
		{"a text that is no count", ok + "fields: {call.attempt: 1.5}", "call.attempt cannot hold this value (write a whole number"},
		{"a text that is no address", ok + "fields: {contact.email: nobody}", "contact.email cannot hold this value"},
		{"a text that is no number of a telephone", ok + "fields: {contact.phone: nobody}", "contact.phone cannot hold this value"},

		{"two proofs in one", ok + "auth: [{jwt: {}, header: {name: X}}]", "config.yaml:2:8: wants one kind of proof with its settings"},
		{"an unknown proof", ok + "auth: [{hmca: {header: X}}]", `unknown key "hmca" (did you mean hmac?)`},
		{"no secret", ok + "auth: [{hmac: {header: X}}]", "config.yaml:2:15: the secret that this proof needs is missing"},
		{"a preset without its secret", "preset: twilio", "preset: the secret that it proves the sender by is missing"},
		{"a short secret of a proof", ok + "auth: [{jwt: {secret: short}}]", "config.yaml:2:14: a secret is too short"},
		{"a short secret", ok + "secret: short\nauth: [{hmac: {header: X}}]", "a secret is too short: at least 8 characters are needed"},
		{"a Standard Webhooks secret that is none", ok + "auth: [{standard_webhooks: {secret: whsec_x}}]", "signing secret: it is not base64"},
		{"no header", ok + "secret: 12345678\nauth: [{hmac: {prefix: x}}]", `"header" is missing`},
		{"a header that is none", ok + "secret: 12345678\nauth: [{hmac: {header: 'X Y'}}]", `config.yaml:3:24: "X Y" cannot be the name of a header`},
		{"an algorithm that is none", ok + "secret: 12345678\nauth: [{hmac: {header: X, algorithm: md5}}]", "config.yaml:3:38: it is sha256, sha1 or sha512"},
		{"an encoding that is none", ok + "secret: 12345678\nauth: [{hmac: {header: X, encoding: octal}}]", "it is hex, base64 or base64url"},
		{"an unknown placeholder", ok + "secret: 12345678\nauth: [{hmac: {header: X, signs: '{boddy}'}}]", "unknown {boddy} (did you mean body?)"},
		{"a placeholder that is not closed", ok + "secret: 12345678\nauth: [{hmac: {header: X, signs: '{body'}}]", "{ is not closed"},
		{"a time that is not signed", ok + "secret: 12345678\nauth: [{hmac: {header: X, timestamp: {header: T}}}]", "the signature does not cover the time"},
		{"a signed time that is nowhere", ok + "secret: 12345678\nauth: [{hmac: {header: X, signs: '{timestamp}{body}'}}]", "it is not said where it stands"},
		{"a time at two places", ok + "secret: 12345678\nauth: [{hmac: {header: X, signs: '{timestamp}{body}', timestamp: {header: T, part: t}}}]", "wants either a header or a part"},
		{"a secret that is not hex", ok + "secret: 1234567z\nauth: [{hmac: {header: X, decode: hex}}]", "a secret is not hex"},
		{"a field that is no path", ok + "secret: 12345678\nauth: [{field: {path: token}}]", "config.yaml:3:23: wants a path in the payload (write it like raw.token)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := open(t, c.settings)
			if err == nil {
				t.Fatal("it was taken")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			for _, secret := range []string{"12345678", "1234567z", "=short"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the message shows the secret: %v", err)
				}
			}
		})
	}
}

func TestEveryProblemIsToldAtOnce(t *testing.T) {
	t.Parallel()
	_, err := open(t, "event: =rwa.event\nevents: {x: nothing}\nfields: {call.idd: =raw.x, call.to: =lowr(raw.x)}\nauth: [{jwt: {}}]")
	ps, ok := err.(diag.Problems)
	if !ok || len(ps) != 5 {
		t.Errorf("got %v, want 5 problems", err)
	}
}

func TestSettingsGoBeforeThePreset(t *testing.T) {
	t.Parallel()
	s := source(t, `
preset: retell
secret: `+secret+`
events: {call_ended: call.ended, call_analyzed: unknown}
fields:
  call.summary: overridden
  call.transcript:
statuses: {user_hangup: abandoned}
`)
	p := s.Parse(request("application/json", read(t, "testdata/retell/call_ended.json")))
	if c := p.Event.Call; p.Event.Type != "call.ended" || c.Summary != "overridden" || c.Transcript != "" || c.Status != "abandoned" || c.From != "+493023125900" {
		t.Errorf("%s %+v", p.Event.Type, c)
	}
	if p := s.Parse(request("application/json", read(t, "testdata/retell/call_analyzed.json"))); p.Event.Type != "unknown" {
		t.Errorf("call_analyzed is %s", p.Event.Type)
	}
}

func TestPresetsAreWrittenAsSettingsAre(t *testing.T) {
	t.Parallel()
	for _, name := range webhook.Presets() {
		if _, err := open(t, webhook.PresetText(name)+"\nsecret: "+secret+"\n"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if webhook.PresetText("../config") != "" {
		t.Error("a path is a preset")
	}
}

func TestConstantsThatFitAreTaken(t *testing.T) {
	t.Parallel()
	s := source(t, `
event: call.ended
occurred_at: 2026-03-04T09:30:00Z
fields: {call.id: =raw.id, call.status: odd, call.direction: inbound, call.duration: 1m30s, call.attempt: 2, call.started_at: 2026-03-04 09:30, contact.phone: 030 23125017, contact.tags: new, call.summary: "{{ raw.x }}", call.outcome.from: shop}
`)
	p := s.Parse(request("application/json", `{"id":"1"}`))
	if c := p.Event.Call; p.Problem != "" || c.Attempt != 2 || *c.Duration != 90 || p.Event.Contact.Phone != "+493023125017" || c.Reason != "odd" {
		t.Errorf("problem %q, %+v", p.Problem, c)
	}
}

func TestSettingsWhoseSignatureCoversTheAddressSaySo(t *testing.T) {
	t.Parallel()
	for _, name := range webhook.Presets() {
		if got, want := presetSource(t, name).SignsAddress(), name == "twilio" || name == "justcall"; got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}
