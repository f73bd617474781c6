package mapping

import (
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

func TestAGroupIsLeftToTheFieldToRefuse(t *testing.T) {
	t.Parallel()
	rules := read(t, `version: 1
rules:
  - name: Groups
    on: call.ended
    to: hubspot
    records:
      - object: contacts
        match: email
        fields: {email: =contact.email, group: =raw.call, list: =raw.call.items, joined: '{{ raw.call }}'}
`, design)
	plan, err := rules.Plan(finished(), "hubspot")
	if err != nil || len(plan.Records) != 1 {
		t.Fatal(plan, err)
	}
	got := fields(plan.Records[0])
	if _, group := got["group"].(map[string]any); !group {
		t.Errorf("a group is given on as %T, want it as it is", got["group"])
	}
	if list, ok := got["list"].([]any); !ok || len(list) != 2 || list[0] != `{"a":1}` {
		t.Errorf("a list of groups is %#v, want the JSON of each", got["list"])
	}
	if s, ok := got["joined"].(string); !ok || !strings.HasPrefix(s, "{") {
		t.Errorf("a group within a text is %#v, want its JSON", got["joined"])
	}
}

func TestWhatIsNotSeenBeforeAFormulaIsABlank(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"", " ", "\t", "\u00a0", "\u200b", "\ufeff", "\u202f\u2060 "} {
		f, ps := testScope().field(&diag.Node{Shape: diag.Scalar, Value: before + "=contact.email", Quoted: true}, kField)
		if ps != nil || f.source != "=contact.email" {
			t.Errorf("%+q: %q %v", before, f.source, ps)
			continue
		}
		if v, fault := f.eval(newEnv(finished(), nil, "")); v != "erika@example.com" || fault != nil {
			t.Errorf("%+q before a formula: got %v %v", before, v, fault)
		}
	}
}

func TestAComparisonThatIsNeverTrueIsToldAndOthersAreNot(t *testing.T) {
	t.Parallel()
	for source, never := range map[string]bool{
		`call.status > 5`: true, `5 <= call.status`: true, `call.status == 5`: true, `call.status in [1, 2]`: true, `upper(call.direction) < 1`: true, `call.status < "a"`: true,
		`call.status > "b"`: false, `call.summary > 5`: false, `raw.x == 5`: false, `call.attempt > 5`: false, `call.status != 5`: false, `call.status in [1, "busy"]`: false, `call.status == nil`: false,
	} {
		_, ps := evaluate(t, testScope(), source, finished())
		if told := ps != nil && strings.Contains(ps.Error(), "never true"); told != never || never && ps.Has(diag.Error) {
			t.Errorf("%s: %v, want it told: %t", source, ps, never)
		}
	}
}

// TestInWithATextIsTrueOfItsParts: check said of a rule that matched that it never does.
func TestInWithATextIsTrueOfItsParts(t *testing.T) {
	t.Parallel()
	for when, want := range map[string]string{
		`call.status in "completed, busy"`:                             "one text",
		`call.status in "completed"`:                                   "",
		`contact.status in "reached; won"`:                             "one text",
		`contact.status in "reached"`:                                  "",
		`call.status in "gone, lost"`:                                  `is never "gone, lost": the rule never matches`,
		`call.status in "busy" && call.status in "voicemail"`:          "never true together",
		`call.status in ["busy"] && call.status in ["completed"]`:      "never true together",
		`call.status in "not_reached" && call.status == "not_reached"`: "",
		`left(contact.phone, 1) in "+0"`:                               "",
	} {
		_, ps := Read([]File{{"mapping.yaml", []byte("version: 1\nrules:\n  - name: r\n    on: call.ended\n    when: '=" + when + "'\n    to: hubspot\n    records: [{object: o, match: id, fields: {id: =call.id}}]\n")}}, design)
		got := ""
		for _, p := range ps {
			got += p.Message
		}
		if (want == "") != (got == "") || !strings.Contains(got, want) || ps.Has(diag.Error) {
			t.Errorf("%s: got %q, want %q", when, got, want)
		}
	}
}
