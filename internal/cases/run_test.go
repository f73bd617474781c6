package cases_test

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/cases"
	"github.com/crmsyncd/crmsyncd/mapping"
)

const someRules = `version: 1
rules:
  - name: Log calls
    on: call.ended
    to: hubspot
    records:
      - object: contacts
        match: [$id, [email, phone], phone]
        fields:
          $id: =contact.external_id
          email: =contact.email
          phone: =contact.phone
          score: {value: =nil, missing: clear}
          tags: =call.topics
      - object: calls
        match: id
        fields:
          id: =call.id
          at: =call.started_at
          length: =call.duration
          share: =0.25
          missed: =call.status != "completed"
          zip: "01234"
          number: "42"
          word: "true"
          nothing: =call.recording_url
          body: |
            Talked.
            {{ call.summary }}
        link: [contacts]
  - name: Rows of failed calls
    on: call.ended
    when: =call.status == "failed"
    to: airtable
    records:
      - {object: Calls, match: ID, fields: {ID: =call.id}}
  - name: Switched off
    enabled: false
    on: call.ended
    to: airtable
    records:
      - {object: Calls, match: ID, fields: {ID: =call.id}}
`

func rules(t testing.TB) *mapping.Rules {
	t.Helper()
	r, problems := mapping.Read([]mapping.File{{Name: "mapping.yaml", Text: []byte(someRules)}}, mapping.Options{
		Sources: names.Sources, Connectors: map[string]string{"hubspot": "hubspot", "airtable": "airtable"}, Country: "DE",
	})
	if problems.Err() != nil {
		t.Fatal(problems.Error())
	}
	return r
}

func aCall() *event.Event {
	length := event.Seconds(90)
	return &event.Event{
		Type: event.CallEnded, Source: "telli",
		Call:    &event.Call{ID: "c1", Status: "completed", StartedAt: time.Date(2026, 3, 4, 9, 30, 0, 5000000, time.UTC), Duration: &length, Summary: "Wants an offer: \"now\".", Topics: []string{"solar", "a: b"}},
		Contact: &event.Contact{ExternalID: "77", Email: "e@example.com", Phone: "+493023125017"},
	}
}

// try runs the cases of a text on one event, and gives what is told of them.
func try(t testing.TB, text string, ev *event.Event) (*cases.File, []cases.Outcome, string) {
	t.Helper()
	f, problems := cases.Read("mapping_test.yaml", []byte(text), names)
	if problems.Err() != nil {
		t.Fatal(problems.Error())
	}
	var outcomes []cases.Outcome
	told := ""
	for _, c := range f.Cases {
		o := cases.Run(rules(t), c, ev, "")
		outcomes = append(outcomes, o)
		if !o.Passed() {
			told += c.Name + "\n" + o.Text()
		}
	}
	return f, outcomes, told
}

const right = `# What we want.
cases:
  - name: a call      # the usual one
    source: telli
    sample: x
    expect:
      # first the people
      hubspot:
        - object: calls         # in any order
          fields:
            zip: 01234
            id: c1              # as the vendor calls it
            at: 2026-03-04T10:30:00.005+01:00
            length: 90.0
            share: 0.25
            missed: false
            number: 42
            word: "true"
            body: |
              Talked.
              Wants an offer: "now".
          link: contacts
        - object: contacts
          match: [{$id: "77"}, [email, phone], phone]
          fields: {email: e@example.com, phone: "+493023125017", score: null, tags: [solar, "a: b"]}
      airtable: nothing
`

func TestWhatIsRightPasses(t *testing.T) {
	t.Parallel()
	if _, _, told := try(t, right, aCall()); told != "" {
		t.Error(told)
	}
}

func TestEveryDifferenceIsToldWithBothPlaces(t *testing.T) {
	t.Parallel()
	wrong := strings.NewReplacer(
		"id: c1 ", "id: c2 ", "zip: 01234", "zap: 01234", "missed: false", "missed: \"false\"", "link: contacts", "link: []", `$id: "77"`, `$id: "78"`, "score: null, ", "",
		"airtable: nothing", "airtable:\n        - object: Calls\n          fields: {ID: c1}", "Wants an", "wants an",
	).Replace(right)
	_, _, told := try(t, wrong, aCall())
	want := `a call
    hubspot, calls (rule "Log calls")
      id: another value
        expected  "c2"  (mapping_test.yaml:12:17)
        came out  "c1"  by =call.id  (mapping.yaml:18:11)
      missed: another value
        expected  "false"  (mapping_test.yaml:16:21)
        came out  false  by =call.status != "completed"  (mapping.yaml:22:11)
      zip: the field is written, and is not expected
        expected  not written  (mapping_test.yaml:11:13)
        came out  "01234"  by 01234  (mapping.yaml:23:11)
      body: another value
        expected  "Talked.\nwants an offer: \"now\"."  (mapping_test.yaml:19:19)
        came out  "Talked.\nWants an offer: \"now\"."  by Talked. …  (mapping.yaml:27:11)
      zap: the field is not written: the rule has no such field; did you mean zip?
        expected  "01234"  (mapping_test.yaml:11:13)
        came out  nothing  (mapping.yaml:15:9)
      link: another value
        expected  nothing  (mapping_test.yaml:22:17)
        came out  contacts  (mapping.yaml:15:9)
    hubspot, contacts (rule "Log calls")
      score: the field is written, and is not expected
        expected  not written  (mapping_test.yaml:25:19)
        came out  cleared  by =nil  (mapping.yaml:13:11)
      match: another value
        expected  $id = 78, else email with phone, else phone  (mapping_test.yaml:24:18)
        came out  $id = 77, else email with phone, else phone  (mapping.yaml:7:9)
    airtable, Calls
      no such record comes out; rule "Rows of failed calls" does not match, when: =call.status == "failed" is false; rule "Switched off" does not match, enabled: the rule is switched off
        at        mapping_test.yaml:27:11
`
	if d := cmp.Diff(want, told); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestConnectorsThatAreNotNamedGetNothing(t *testing.T) {
	t.Parallel()
	_, _, told := try(t, "cases:\n  - {name: x, source: telli, sample: x, expect: nothing}\n", aCall())
	if !strings.Contains(told, "hubspot, contacts") || !strings.Contains(told, "a record comes out that is not expected") {
		t.Error(told)
	}
}

func TestARecordThatIsSkipped(t *testing.T) {
	t.Parallel()
	ev := aCall()
	ev.Contact = nil
	text := "cases:\n  - name: x\n    source: telli\n    sample: x\n    expect: nothing\n"
	f, outcomes, _ := try(t, text, ev)
	out, _, err := f.Update(outcomes)
	if err != nil || !strings.Contains(string(out), "- object: contacts\n          skip: true\n") || strings.Contains(string(out), "link") {
		t.Fatalf("got %s, %v", out, err)
	}
	if _, _, told := try(t, string(out), ev); told != "" {
		t.Error(told)
	}
	if _, _, told := try(t, strings.Replace(string(out), "skip: true", "skip: the moon", 1), ev); !strings.Contains(told, "skipped for another reason") {
		t.Error(told)
	}
	if _, _, told := try(t, string(out), aCall()); !strings.Contains(told, "should be skipped") {
		t.Error(told)
	}
}

func TestCoverListsWhatNoCaseTouches(t *testing.T) {
	t.Parallel()
	_, outcomes, _ := try(t, right, aCall())
	got := cases.Cover(rules(t), outcomes)
	want := cases.Coverage{Rules: 2, Touched: 1, Fields: 16, Given: 14, Missed: []cases.Untouched{
		{At: "mapping.yaml:26:11", Rule: "Log calls", Object: "calls", Field: "nothing"},
		{At: "mapping.yaml:31:5", Rule: "Rows of failed calls"},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestJUnitIsReadByOthers(t *testing.T) {
	t.Parallel()
	_, outcomes, _ := try(t, right+"  - {name: \"<wrong> & odd\", source: telli, sample: x, expect: nothing}\n", aCall())
	out := cases.JUnit(outcomes)
	var got struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Cases    []struct {
			Name    string `xml:"name,attr"`
			Failure string `xml:"failure"`
		} `xml:"testsuite>testcase"`
	}
	if err := xml.NewDecoder(bytes.NewReader(out)).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Tests != 2 || got.Failures != 1 || len(got.Cases) != 2 || got.Cases[0].Failure != "" || got.Cases[1].Name != "<wrong> & odd" || !strings.Contains(got.Cases[1].Failure, "not expected") {
		t.Errorf("got %+v of %s", got, out)
	}
}
