package mapping

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

const written = `version: 1
tables:
  result: {completed: DONE, voicemail: BOX, "*": OTHER}
  rank:
    a: 1
    b: 2
rules:
  - name: One
    on: call.ended
    to: crm
    records:
      - object: contacts
        match: [$id, [email, lastname], phone]
        fields:
          $id: =contact.external_id
          email: =contact.email
          lastname: =contact.last_name
          phone: =phone(contact.phone)
      - object: calls
        as: talk
        match: key
        create: always
        fields:
          key: =call.id
          id: %s
        link: [{to: contacts, field: Contact}]
  - {name: Off, enabled: false, on: call.ended, to: crm, records: [{object: notes, match: id, fields: {id: =call.id}}]}
  - {name: Zap, on: call.ended, to: zap, records: [{object: post, fields: {id: =call.id}}]}
`

func writesOf(t *testing.T, value string) []Write {
	t.Helper()
	rules, ps := Read([]File{{Name: "m.yaml", Text: fmt.Appendf(nil, written, value)}}, Options{Connectors: map[string]string{"crm": "hubspot", "zap": "webhook"}})
	if ps.Has(diag.Error) {
		t.Fatal(ps)
	}
	return rules.Writes()
}

func TestWritesTellsWhatRulesWrite(t *testing.T) {
	t.Parallel()
	var got []string
	for _, w := range writesOf(t, "=call.id") {
		got = append(got, fmt.Sprintf("%s %s %s %s at %s", w.Rule, w.To, w.Object, w.Create, w.At))
		for _, alternative := range w.Match {
			for _, m := range alternative {
				got = append(got, fmt.Sprintf("match %s of %d at %s", m.Name, len(alternative), m.At))
			}
		}
		for _, f := range w.Fields {
			got = append(got, fmt.Sprintf("field %s at %s = %v %q at %s", f.Name, f.At, f.Kinds, f.Path, f.Value))
		}
		for _, l := range w.Links {
			got = append(got, fmt.Sprintf("link %s by %s at %s", l.Object, l.Field, l.At))
		}
	}
	want := []string{
		"One crm contacts missing at m.yaml:12:17",
		"match $id of 1 at m.yaml:13:17", "match email of 2 at m.yaml:13:23", "match lastname of 2 at m.yaml:13:30", "match phone of 1 at m.yaml:13:41",
		`field $id at m.yaml:15:11 = [text] "contact.external_id" at m.yaml:15:16`,
		`field email at m.yaml:16:11 = [text] "contact.email" at m.yaml:16:18`,
		`field lastname at m.yaml:17:11 = [text] "contact.last_name" at m.yaml:17:21`,
		`field phone at m.yaml:18:11 = [text] "contact.phone" at m.yaml:18:18`,
		"One crm calls always at m.yaml:19:17",
		"match key of 1 at m.yaml:21:16",
		`field key at m.yaml:24:11 = [text] "call.id" at m.yaml:24:16`,
		`field id at m.yaml:25:11 = [text] "call.id" at m.yaml:25:15`,
		"link contacts by Contact at m.yaml:26:16",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWritesTellsTheValuesThatAFormulaCanGive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value  string
		want   []string // value at line:column
		closed bool
	}{
		{"plain", []string{"plain 25:15"}, true},
		{`"12"`, []string{"12 25:15"}, true},
		{"12", []string{"12 25:15"}, true},
		{"a {{ call.id }}", nil, false},
		{"=call.id", nil, false},
		{"=nil", nil, true},
		{`='it'`, []string{"it 25:16"}, true},
		{`'=call.status == "busy" ? "B" : 3'`, []string{"B 25:41", "3 25:47"}, true},
		{`=call.id ?? "none"`, []string{"none 25:27"}, false},
		{`=default(call.id, "x", nil)`, []string{"x 25:33"}, false},
		{`=["a", "b"]`, []string{"a 25:17", "b 25:22"}, true},
		{`=table("result", call.id)`, []string{"DONE 3:23", "BOX 3:40", "OTHER 3:50"}, true},
		{`=table("result", "VoiceMail")`, []string{"BOX 3:40", "OTHER 3:50"}, true},
		{`=table("rank", call.id, "none")`, []string{"1 5:8", "2 6:8", "none 25:39"}, true},
		{`=lower(table("result", call.status))`, []string{"done 3:23", "box 3:40", "other 3:50"}, true},
		{"=call.direction", []string{"inbound 25:15", "outbound 25:15", "internal 25:15", "unknown 25:15"}, true},
		{"=upper(call.direction)", []string{"INBOUND 25:15", "OUTBOUND 25:15", "INTERNAL 25:15", "UNKNOWN 25:15"}, true},
	} {
		t.Run(c.value, func(t *testing.T) {
			t.Parallel()
			f := writesOf(t, c.value)[1].Fields[1]
			var got []string
			for _, v := range f.Values {
				got = append(got, fmt.Sprintf("%v %s", v.Value, strings.TrimPrefix(v.At.String(), "m.yaml:")))
			}
			if diff := cmp.Diff(c.want, got); diff != "" || f.Closed != c.closed {
				t.Errorf("closed %v, want %v; values (-want +got):\n%s", f.Closed, c.closed, diff)
			}
		})
	}
}

func TestWritesKnowsThatAnEndedCallRingsNoMore(t *testing.T) {
	t.Parallel()
	var got []string
	for _, v := range writesOf(t, "=call.status")[1].Fields[1].Values {
		got = append(got, v.Value.(string))
	}
	if slices.Contains(got, "ringing") || !slices.Contains(got, "not_reached") {
		t.Errorf("an ended call can be %v", got)
	}
}

func TestJSONSchemaLiveCompletesAndRefusesNothing(t *testing.T) {
	t.Parallel()
	text := JSONSchemaLive(Options{Connectors: map[string]string{"crm": "hubspot"}}, map[string]connectors.Schema{"crm": {
		"contacts": {Name: "contacts", Fields: map[string]connectors.Field{
			"status": {Name: "status", Label: "Status of the call", Type: connectors.Select, Native: "enumeration/select", Options: []connectors.Option{{Value: "new", Label: "New"}}},
			"made":   {Name: "made", Type: connectors.DateTime, ReadOnly: true},
		}},
		"nothing": {Name: "nothing"},
	}})
	var s struct {
		Definitions map[string]struct {
			AllOf []struct {
				If   any
				Then struct{ Properties map[string]any }
			}
			AdditionalProperties *bool
		}
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	record := s.Definitions["record_crm"]
	if len(record.AllOf) != 2 || record.AdditionalProperties != nil || len(s.Definitions["rule"].AllOf) != 1 {
		t.Fatalf("the definitions are %+v", s.Definitions)
	}
	got := fmt.Sprint(record.AllOf[0].Then.Properties["fields"])
	for _, want := range []string{"Status of the call · one option (enumeration/select)", "enum:[new]", "enumDescriptions:[New]", "#/definitions/field", "$id"} {
		if !strings.Contains(got, want) {
			t.Errorf("the fields of contacts lack %s: %s", want, got)
		}
	}
	if strings.Contains(got, "made") {
		t.Errorf("a field that cannot be written is offered: %s", got)
	}
}
