package mapping

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// records wraps records in a rule for HubSpot on finished calls.
func records(text string) string {
	return "version: 1\nrules:\n  - name: R\n    on: [call.ended, unknown]\n    to: hubspot\n    records:\n" + text
}

func TestPlan(t *testing.T) {
	t.Parallel()
	bare := &event.Event{ID: "e", Type: event.CallEnded, Source: "telli", Call: &event.Call{ID: "c1"}}
	for _, c := range []struct {
		name, yaml string
		ev         *event.Event
		want       string // the records as the test prints them
	}{
		{"a record without a value in any match field is skipped, and links to it are left to the deliverer to drop", `
      - {object: contacts, match: [email, phone], fields: {email: =contact.email, phone: =contact.phone}}
      - {object: calls, match: id, fields: {id: =call.id}, link: contacts}`, bare,
			`contacts skip="nothing to find it by: the match fields email, phone have no value"; calls [id=c1] id=c1 link=0`},
		{"create: always writes it all the same", `
      - {object: contacts, match: email, create: always, fields: {email: =contact.email, name: x}}
      - {object: calls, match: id, fields: {id: =call.id}, link: contacts}`, bare,
			`contacts create=always name=x; calls [id=c1] id=c1 link=0`},
		{"$id is matched on and never written", `
      - {object: contacts, match: [$id, email], fields: {$id: =contact.external_id, email: =contact.email}}`, &event.Event{Type: event.CallEnded, Contact: &event.Contact{ExternalID: "77", Email: "a@example.com"}},
			`contacts [$id=77 | email=a@example.com] email=a@example.com`},
		{"of a list in a list all must have a value", `
      - {object: contacts, match: [[first, last], email], fields: {first: =contact.first_name, last: =contact.last_name, email: =contact.email}}`, &event.Event{Type: event.CallEnded, Contact: &event.Contact{FirstName: "Ada", Email: "a@example.com"}},
			`contacts [email=a@example.com] first=Ada email=a@example.com`},
		{"with both present both stand in the key", `
      - {object: contacts, match: [[first, last], email], fields: {first: =contact.first_name, last: =contact.last_name, email: =contact.email}}`, finished(),
			`contacts [first=Erika,last=Mustermann | email=erika@example.com] first=Erika last=Mustermann email=erika@example.com`},
		{"missing: clear writes the null, and if: is passed on", `
      - {object: contacts, match: id, create: false, on_many: newest, fields: {id: =contact.id, a: {value: =contact.company, missing: clear}, b: {value: =contact.company, missing: skip}, c: {value: 5, if: changed}}}`, finished(),
			`contacts create=never many=newest [id=k1] id=k1 a=<nil> c=5(changed)`},
		{"plain values keep their type, codes and blanks stay as they are", `
      - {object: o, match: id, fields: {id: 7, f: 1.5, t: true, code: 0123, phone: +4930, time: 12:30, no: no, quoted: "5", blank: "  ", long: 12345678901234567890}}`, finished(),
			`o [id=7] id=7 f=1.5 t=true code="0123" phone="+4930" time="12:30" no="no" quoted="5" long="12345678901234567890"`},
		{"two records of an object are told apart by as", `
      - {object: contacts, as: caller, match: phone, fields: {phone: =call.from}}
      - {object: contacts, as: agent, match: email, fields: {email: =call.agent.email}}
      - {object: calls, match: id, fields: {id: =call.id}, link: [agent, {to: caller, type: caller}, {to: caller, field: Contact}]}`, finished(),
			`contacts as=caller [phone="+493023125900"] phone="+493023125900"; contacts as=agent [email=ada@example.com] email=ada@example.com; calls [id=c1] id=c1 link=1 link=0/caller link=0@Contact`},
		{"a list is written as a list", `
      - {object: o, match: id, fields: {id: =call.id, topics: =call.topics, some: '=["a", contact.company]', none: '=[contact.company]'}}`, finished(),
			`o [id=c1] id=c1 topics=[solar storage] some=[a]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := read(t, records(c.yaml[1:]), design).Plan(c.ev, "hubspot")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, show(p)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func show(p Plan) string {
	var out []string
	for _, r := range p.Records {
		s := r.Object
		if r.As != r.Object {
			s += " as=" + r.As
		}
		if r.Create != CreateMissing {
			s += " create=" + string(r.Create)
		}
		if r.OnMany != ManyStop {
			s += " many=" + string(r.OnMany)
		}
		if r.Skip != "" {
			out = append(out, s+fmt.Sprintf(" skip=%q", r.Skip))
			continue
		}
		var keys []string
		for _, k := range r.Keys {
			var terms []string
			for _, term := range k {
				terms = append(terms, term.Field+"="+showValue(term.Value))
			}
			keys = append(keys, strings.Join(terms, ","))
		}
		if len(keys) > 0 {
			s += " [" + strings.Join(keys, " | ") + "]"
		}
		for _, f := range r.Fields {
			s += " " + f.Name + "=" + showValue(f.Value)
			if f.If != IfAlways {
				s += "(" + string(f.If) + ")"
			}
		}
		for _, l := range r.Links {
			s += fmt.Sprintf(" link=%d", l.To)
			if l.Type != "" {
				s += "/" + l.Type
			}
			if l.Field != "" {
				s += "@" + l.Field
			}
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

// showValue quotes text that could be taken for something else.
func showValue(v any) string {
	if s, ok := v.(string); ok && (plainNumber.MatchString(s) && s != "77" || strings.ContainsAny(s, "+:") || strings.HasPrefix(s, "0") || s == "no" || len(s) == 20) {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(v)
}

func TestRulesOfSeveralFilesWorkAsOne(t *testing.T) {
	t.Parallel()
	tables := File{"mapping.d/00-tables.yaml", []byte("version: 1\ntables: {t: {a: 1}}\n")}
	rule := func(name, rule string) File {
		return File{name, []byte("version: 1\nrules:\n  - name: " + rule + "\n    on: call.ended\n    to: hubspot\n    records: [{object: o, match: id, fields: {id: =call.id, t: '=table(\"t\", \"a\")'}}]\n")}
	}
	r, ps := Read([]File{rule("mapping.d/10-b.yaml", "B"), tables, rule("mapping.d/20-a.yaml", "A")}, design)
	if ps.Has(diag.Error) {
		t.Fatal(ps)
	}
	p, err := r.Plan(finished(), "hubspot")
	if err != nil || len(p.Records) != 2 || p.Records[0].Rule != "B" || p.Records[1].Pos.File != "mapping.d/20-a.yaml" {
		t.Fatalf("got %+v, %v", p, err)
	}
	_, ps = Read([]File{tables, {"mapping.d/01-more.yaml", tables.Text}, rule("mapping.d/10-b.yaml", "B"), rule("mapping.d/20-a.yaml", "B")}, design)
	want := "mapping.d/01-more.yaml:2:10: the table \"t\" stands here a second time; the first is at mapping.d/00-tables.yaml:2:10 (give one of the two another name)\n" +
		"mapping.d/20-a.yaml:3:11: a second rule is named \"B\"; the first is at mapping.d/10-b.yaml:3:11 (names stand in the ledger and must be unique)"
	ps = slices.DeleteFunc(ps, func(p diag.Problem) bool { return p.Severity == diag.Warning })
	if got := ps.Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestConnectorsAreThoseOfMatchingRules(t *testing.T) {
	t.Parallel()
	rule := func(head string) string {
		match := "match: id, "
		if strings.Contains(head, "to: zap") {
			match = "" // a webhook
		}
		return "  - {" + head + ", records: [{object: o, " + match + "fields: {id: =event.id}}]}\n"
	}
	r := read(t, "version: 1\nrules:\n"+
		rule(`on: call.ended, from: phones, to: airtable`)+
		rule(`on: call.ended, when: '=call.status == "failed"', to: airtable`)+
		rule(`on: call.ended, enabled: false, to: airtable`)+
		rule(`on: [call.ringing, call.ended], to: zap`)+
		rule(`on: call.ended, from: [telli, phones], to: hubspot`)+
		rule(`on: call.ended, to: zap`), design)
	if got, want := r.Connectors(finished()), []string{"hubspot", "zap"}; !cmp.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := r.Connectors(&event.Event{Type: event.Unknown}); got != nil {
		t.Errorf("an unknown event goes to %v, want none", got)
	}
	if p, err := r.Plan(finished(), "airtable"); err != nil || len(p.Records) != 0 {
		t.Errorf("airtable: got %+v, %v, want no records", p, err)
	}
	if p, _ := r.Plan(finished(), "zap"); len(p.Records) != 2 || p.Records[0].Step == p.Records[1].Step {
		t.Errorf("zap: got %+v, want two records with steps of their own", p.Records)
	}
}

func TestAWebhookNeedsNoMatch(t *testing.T) {
	t.Parallel()
	r := read(t, "version: 1\nrules: [{on: call.ended, to: zap, records: [{object: call, fields: {id: =call.id, all: =json(call.outcome)}}]}]", design)
	p, err := r.Plan(finished(), "zap")
	if err != nil || p.Records[0].Skip != "" || p.Records[0].Create != CreateAlways || len(p.Records[0].Keys) != 0 {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestExplainSaysWhyForEveryRule(t *testing.T) {
	t.Parallel()
	r := read(t, `version: 1
rules:
  - {name: other type, on: call.ringing, to: hubspot, records: [{object: o, match: id, fields: {id: =call.id}}]}
  - {name: other source, on: call.ended, from: phones, to: hubspot, records: [{object: o, match: id, fields: {id: =call.id}}]}
  - {name: not true, on: call.ended, when: '=call.status == "failed" || call.outcome.size > 20', to: hubspot, records: [{object: o, match: id, fields: {id: =call.id}}]}
  - {name: off, enabled: false, on: call.ended, to: hubspot, records: [{object: o, match: id, fields: {id: =call.id}}]}
  - name: matches
    on: call.ended
    to: hubspot
    records:
      - {object: o, match: id, fields: {id: =call.id, name: 'Call {{ contact.full_name }}', company: =contact.company}}
`, design)
	xs := r.Explain(finished())
	var why []string
	for _, x := range xs {
		why = append(why, x.Rule+": "+x.Why)
	}
	want := []string{
		"other type: on: the event is call.ended", "other source: from: the event is from telli",
		`not true: when: =call.status == "failed" || call.outcome.size > 20 is false`, "off: enabled: the rule is switched off", "matches: ",
	}
	if diff := cmp.Diff(want, why); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]Input{{Path: "call.status", Value: "completed"}, {Path: "call.outcome.size", Value: "12"}}, xs[2].Reads); diff != "" {
		t.Errorf("what when read (-want +got):\n%s", diff)
	}
	got, err := json.Marshal(xs[4])
	if err != nil {
		t.Fatal(err)
	}
	wantJSON := `{"rule":"matches","pos":"mapping.yaml:7:5","connector":"hubspot","matched":true,"records":[{"object":"o","as":"o","step":"matches/o","pos":"mapping.yaml:11:9","create":"missing","match":["id = c1"],"fields":[` +
		`{"name":"id","source":"=call.id","value":"c1","written":true,"if":"always","pos":"mapping.yaml:11:41","reads":[{"path":"call.id","value":"c1"}]},` +
		`{"name":"name","source":"Call {{ contact.full_name }}","value":"Call Erika Mustermann","written":true,"if":"always","pos":"mapping.yaml:11:55","reads":[{"path":"contact.full_name","value":"Erika Mustermann"}]},` +
		`{"name":"company","source":"=contact.company","value":null,"written":false,"if":"always","pos":"mapping.yaml:11:93","reads":[{"path":"contact.company","value":null}]}]}]}`
	if diff := cmp.Diff(wantJSON, string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRulesDescribesWhatIsWritten(t *testing.T) {
	t.Parallel()
	r := read(t, records(`      - {object: contacts, match: [$id, email], fields: {$id: =contact.external_id, email: =contact.email, since: =contact.reached_at}}
      - {object: calls, match: id, fields: {id: =call.id}, link: contacts}
`), design)
	info := r.Rules()[0]
	var got []string
	for _, o := range info.Objects {
		for _, f := range o.Fields {
			got = append(got, o.Object+"."+f.Name+" "+f.Kind)
		}
	}
	want := []string{"contacts.$id text", "contacts.email text", "contacts.since a time", "calls.id text"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !cmp.Equal(info.Objects[0].Match, [][]string{{connectors.ID}, {"email"}}) || info.Objects[1].Links[0].As != "contacts" || info.To != "hubspot" || !info.Enabled {
		t.Errorf("got %+v", info)
	}
}

func TestSchemaKnowsEveryKeyThatIsRead(t *testing.T) {
	t.Parallel()
	var s map[string]any
	if err := json.Unmarshal(JSONSchemaFor(design), &s); err != nil {
		t.Fatal(err)
	}
	definition := func(name string) map[string]any {
		d := s["definitions"].(map[string]any)[name].(map[string]any)
		if forms, ok := d["anyOf"].([]any); ok {
			d = forms[1].(map[string]any)
		}
		return d
	}
	for name, keys := range map[string][]string{"rule": ruleKeys, "record": recordKeys, "field": fieldKeys, "link": linkKeys, "": fileKeys} {
		d := s
		if name != "" {
			d = definition(name)
		}
		properties := d["properties"].(map[string]any)
		for _, k := range keys {
			p, ok := properties[k].(map[string]any)
			if !ok {
				t.Errorf("%s: %s is read but not in the schema", name, k)
				continue
			}
			if text, _ := json.Marshal(p); !strings.Contains(string(text), `"description"`) {
				t.Errorf("%s: %s has no description", name, k)
			}
			delete(properties, k)
		}
		for k := range properties {
			t.Errorf("%s: %s is in the schema but not read", name, k)
		}
	}
	if text := string(JSONSchemaFor(design)); !strings.Contains(text, `"hubspot"`) || !strings.Contains(text, `"call.transferred"`) {
		t.Error("the schema lacks the names of connectors or event types")
	}
	if strings.Contains(string(JSONSchema()), `"enum": null`) {
		t.Error("an empty enum forbids everything")
	}
}

func TestCandidates(t *testing.T) {
	t.Parallel()
	rules, problems := Read([]File{{Name: "m", Text: []byte(`version: 1
rules:
  - {name: a, on: call.ended, to: hubspot, records: [{object: o, match: f, fields: {f: x}}]}
  - {name: b, on: call.ended, from: phones, when: =call.attempt > 1, to: airtable, records: [{object: o, match: f, fields: {f: x}}]}
  - {name: c, on: call.ringing, enabled: false, to: airtable, records: [{object: o, match: f, fields: {f: x}}]}
`)}}, Options{})
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	for _, c := range []struct {
		typ     event.Type
		source  string
		want    string
		certain bool
	}{
		{event.CallEnded, "telli", "hubspot", true},
		{event.CallEnded, "phones", "", false},
		{event.CallRinging, "phones", "", true},
		{event.CallCreated, "telli", "", true},
	} {
		got, certain := rules.Candidates(c.typ, c.source)
		if strings.Join(got, " ") != c.want || certain != c.certain {
			t.Errorf("Candidates(%s, %s) = %v, %t; want %s, %t", c.typ, c.source, got, certain, c.want, c.certain)
		}
	}
}

func TestExplainSaysWhichPartOfWhenIsFalse(t *testing.T) {
	t.Parallel()
	r := read(t, `version: 1
rules:
  - name: r
    on: call.ended
    when: =call.status != "failed" && (call.attempt > 3 || call.duration > 300) && contact.email contains "example"
    to: hubspot
    records: [{object: o, match: id, fields: {id: =call.id}}]
`, design)
	want := []FalsePart{
		{Part: "call.attempt > 3", Reads: []Input{{Path: "call.attempt", Value: 1}}},
		{Part: "call.duration > 300", Reads: []Input{{Path: "call.duration", Value: event.Seconds(120)}}},
	}
	if diff := cmp.Diff(want, r.Explain(finished())[0].False); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestMaskHidesWhatMayBePersonal(t *testing.T) {
	t.Parallel()
	r := read(t, `version: 1
rules:
  - name: r
    on: call.ended
    when: =contact.email == "nobody@example.com" || call.status == "completed" || contact.phone == "1"
    to: hubspot
    records:
      - object: o
        match: [[id, email], phone]
        fields:
          id: =call.id
          email: =contact.email
          phone: =phone(contact.phone)
          all: =json(contact)
          raw: =json(raw)
          part: =json(raw.call)
          size: =call.outcome.size
          status: =upper(call.status)
          text: Call with {{ contact.full_name }}
          nothing: =contact.company
          first: =split(contact.full_name, " ")[0]
          one: =list(contact.last_name, contact.email)[0]
          which: =split(contact.full_name, " ")[call.attempt - 2]
          named: =raw.contact[call.status ?? "x"]
          plain: =[call.id, call.status][1]
          last: =call.topics[-1]
`, design)
	x := r.Explain(finished())[0]
	x.Mask()
	text, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	for _, personal := range []string{"erika", "Erika", "Mustermann", "+4930", `"12"`, "call_ended", "items"} {
		if strings.Contains(string(text), personal) {
			t.Errorf("%q is shown in\n%s", personal, text)
		}
	}
	if diff := cmp.Diff([]string{"id = c1 and email = " + Masked, "phone = " + Masked}, x.Records[0].Match); diff != "" {
		t.Errorf("match (-want +got):\n%s", diff)
	}
	values := map[string]any{}
	for _, f := range x.Records[0].Fields {
		values[f.Name] = f.Value
	}
	want := map[string]any{"id": "c1", "email": Masked, "phone": Masked, "all": Masked, "raw": Masked, "part": Masked, "size": Masked, "status": "COMPLETED", "text": Masked, "nothing": nil,
		"first": Masked, "one": Masked, "which": Masked, "named": nil, "plain": "completed", "last": Masked}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestPathsThatAreNotMaskedAreOfTheModel(t *testing.T) {
	t.Parallel()
	for _, path := range plainPaths {
		if _, ok := leaves()[path]; !ok {
			t.Errorf("%s is no path of the model", path)
		}
	}
}

func TestExplainNamesWhatStandsBesideAMissingValue(t *testing.T) {
	t.Parallel()
	r := read(t, `version: 1
rules:
  - name: r
    on: call.ended
    to: hubspot
    records: [{object: o, match: id, fields: {id: =call.id, a: =call.outcome.Size, b: =call.outcome.price, c: '=call.answers["how many?"]', d: =call.collected.x}}]
`, design)
	var got []string
	for _, f := range r.Explain(finished())[0].Records[0].Fields[1:] {
		got = append(got, f.Reads[0].Hint)
	}
	want := []string{"did you mean size?", "call.outcome has owner_occupied, roof_area_sqm, size", "did you mean How many??", ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestExplainShowsAPartOfWhenWithItsBrackets(t *testing.T) {
	t.Parallel()
	for when, want := range map[string]string{
		`!(call.status == "completed") && call.attempt == 1`:            `!(call.status == "completed")`,
		`call.attempt == 1 && not (call.status == "completed" || true)`: `not (call.status == "completed" || true)`,
		`(call.attempt == 2) && call.status == "completed"`:             `call.attempt == 2`,
		`call.attempt == 1 && (call.summary contains "(")`:              `call.summary contains "("`,
		`count(list(call.id, call.id)) == 3 && call.attempt == 1`:       `count(list(call.id, call.id)) == 3`,
	} {
		r := read(t, "version: 1\nrules:\n  - name: r\n    on: call.ended\n    when: '="+when+"'\n    to: hubspot\n    records: [{object: o, match: id, fields: {id: =call.id}}]\n", design)
		x := r.Explain(finished())[0]
		if len(x.False) != 1 || x.False[0].Part != want {
			t.Errorf("%s: got %+v, want %q", when, x.False, want)
		}
	}
}
