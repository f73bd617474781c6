package mapping

import (
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/event"
)

// TestMode/says which records are only to be found out about.
func TestMode(t *testing.T) {
	t.Parallel()
	const text = `
version: 1
rules:
  - {name: live, on: call.ended, to: crm, records: [{object: calls, match: id, fields: {id: =call.id, title: x}}]}
  - {name: new, on: call.ended, to: crm, mode: MODE, records: [{object: calls, match: id, fields: {id: =call.id, title: y}}]}
`
	read := func(mode string) (*Rules, string) {
		rules, problems := Read([]File{{Name: "m.yaml", Text: []byte(strings.Replace(text, "MODE", mode, 1))}}, Options{})
		var all []string
		for _, p := range problems {
			all = append(all, p.Error())
		}
		return rules, strings.Join(all, "\n")
	}
	rules, problems := read("shadow")
	if problems != "" {
		t.Errorf("a rule in shadow mode writes over nothing, but: %s", problems)
	}
	plan, err := rules.Plan(&event.Event{Type: event.CallEnded, Call: &event.Call{ID: "c"}}, "crm")
	if err != nil || len(plan.Records) != 2 || plan.Records[0].Shadow || !plan.Records[1].Shadow {
		t.Errorf("got %+v, %v; want the second record alone in shadow mode", plan.Records, err)
	}
	if _, problems := read("live"); !strings.Contains(problems, "no effect") {
		t.Errorf("of a live rule that writes over another one: got %q", problems)
	}
	if _, problems := read("shadwo"); !strings.Contains(problems, `mode is live or shadow, not "shadwo"`) {
		t.Errorf("of another word: got %q", problems)
	}
}
