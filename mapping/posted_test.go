package mapping

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
)

func posted(fields string) string {
	return "version: 1\nrules:\n  - name: Tell\n    on: call.ended\n    to: zap\n    records:\n      - object: post\n        fields:\n          " +
		strings.ReplaceAll(fields, "\n", "\n          ") + "\n"
}

func TestARecordForAWebhookNeedsNoMatchAndTakesGroups(t *testing.T) {
	t.Parallel()
	ev := finished()
	r := read(t, posted("kind: =event.type\nperson: =contact\noutcome: =call.outcome\ntags: =contact.tags\ncall.seconds: =call.duration\nnone: =call.headline\nfirst: =raw.call.items[0]"), design)
	p, err := r.Plan(ev, "zap")
	if err != nil || len(p.Records) != 1 || p.Records[0].Skip != "" || p.Records[0].Create != CreateAlways || len(p.Records[0].Keys) != 0 {
		t.Fatalf("got %+v, %v; want one record that is always made", p, err)
	}
	want := map[string]any{
		"kind": "call.ended", "person": ev.Values()["contact"], "outcome": ev.Call.Outcome, "tags": []any{"vip"},
		"call.seconds": event.Seconds(120), "first": map[string]any{"a": 1},
	}
	if diff := cmp.Diff(want, fields(p.Records[0])); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestTheWholeEventIsFlatAndHoldsThePayload(t *testing.T) {
	t.Parallel()
	ev := finished()
	p, err := read(t, posted("$event: true\nextra: text"), design).Plan(ev, "zap")
	if err != nil {
		t.Fatal(err)
	}
	got := fields(p.Records[0])
	whole, _ := got[connectors.WholeEvent].(map[string]any)
	values := ev.Values()
	if got["extra"] != "text" || whole["type"] != "call.ended" || whole["event"] != nil || !cmp.Equal(whole["call"], values["call"]) || !cmp.Equal(whole["raw"], ev.RawValue()) {
		t.Errorf("got %+v, want the event's own keys at the top, then call, contact and raw", got)
	}
}

func TestTheWholeEventMayBeWrittenWhereConnectorsAreNotKnown(t *testing.T) {
	t.Parallel()
	read(t, posted("$event: true"), Options{})
}

func TestWhatAWebhookDoesNotHaveIsTold(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		strings.Replace(posted("a: 1"), "object: post", "object: post\n        match: a", 1):      "warning: match has no effect for a webhook",
		strings.Replace(posted("a: 1"), "object: post", "object: post\n        create: false", 1): "the record is never posted",
		posted("a: {value: =call.id, if: empty}"):                                                 "warning: if has no effect for a webhook",
		posted("$id: =contact.id"): "a webhook has none",
		posted("$event: =call"):    "$event is true or left out",
		strings.Replace(posted("$event: true"), "to: zap", "to: hubspot", 1): "$event is for connectors of type webhook",
		strings.Replace(posted("a: =call"), "to: zap", "to: hubspot", 1):     "call is a group of values, not one value",
	} {
		_, ps := Read([]File{{"mapping.yaml", []byte(text)}}, design)
		if got := ps.Error(); !strings.Contains(got, want) {
			t.Errorf("%s\ngot %q, want it to say %q", text, got, want)
		}
	}
}
