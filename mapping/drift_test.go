package mapping

import (
	"fmt"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/event"
)

const drifting = `version: 1
rules:
  - on: contact.status_changed
    to: crm
    on_edit: ours
    on_missing: recreate
    records:
      - object: contacts
        match: id
        fields:
          id: =contact.id
          status: {value: =contact.status, on_edit: keep}
`

func TestRulesSayWhatReconcileDoes(t *testing.T) {
	t.Parallel()
	rules, problems := Read([]File{{Name: "mapping.yaml", Text: []byte(drifting)}}, Options{})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	plan, err := rules.Plan(&event.Event{Type: event.ContactStatusChanged, Contact: &event.Contact{ID: "1", Status: "reached"}}, "crm")
	if err != nil {
		t.Fatal(err)
	}
	rec := plan.Records[0]
	if got := fmt.Sprint(rec.OnMissing, " ", rec.Fields[0].OnEdit, " ", rec.Fields[1].OnEdit); got != "recreate ours keep" {
		t.Errorf("got %s, want the rule's words, and the field's before them", got)
	}
	for wrong, want := range map[string]string{
		"on_edit: our":        `mapping.yaml:5:14: on_edit is keep or ours, not "our"`,
		"on_missing: recreat": `mapping.yaml:6:17: on_missing is report, recreate or forget, not "recreat"`,
		"on_edit: kept}":      `mapping.yaml:12:53: on_edit is keep or ours, not "kept"`,
	} {
		right := map[string]string{"on_edit: our": "on_edit: ours", "on_missing: recreat": "on_missing: recreate", "on_edit: kept}": "on_edit: keep}"}[wrong]
		_, problems := Read([]File{{Name: "mapping.yaml", Text: []byte(strings.Replace(drifting, right, wrong, 1))}}, Options{})
		if err := problems.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", wrong, err, want)
		}
	}
}
