package contrast_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/contrast"
	"github.com/crmsyncd/crmsyncd/mapping"
)

const rules = `
version: 1
rules:
  - name: calls
    on: call.ended
    when: =call.status != "failed"
    to: crm
    records:
      - object: contacts
        match: email
        fields:
          email: =contact.email
          status: =contact.status
          tags: =contact.tags
      - object: calls
        match: id
        fields: {id: =call.id, seconds: =call.duration}
        link: [contacts]
`

func read(t *testing.T, text string) *mapping.Rules {
	t.Helper()
	r, problems := mapping.Read([]mapping.File{{Name: "mapping.yaml", Text: []byte(text)}}, mapping.Options{})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestContrast(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		old, new string // replaced in the rules
		want     string // groups, one on a line
	}{
		{"the same mapping differs in nothing", "", "", ""},
		{"another value", "=contact.status", "=upper(contact.status)", "calls contacts status value 2: reached → REACHED"},
		{"a personal value is masked", "=contact.email", `="x" + contact.email`, "calls contacts  match 2: email = ••• → email = •••\ncalls contacts email value 2: ••• → •••"},
		{"a field more, and one less", "status: =contact.status", "state: =contact.status", "calls contacts state written 2: <nil> → reached\ncalls contacts status unwritten 2: reached → <nil>"},
		{"a field with if", "status: =contact.status", "status: {value: =contact.status, if: empty}", "calls contacts status if 2: always → empty"},
		{"a rule that matches more", `=call.status != "failed"`, `=call.id != "x"`, `calls   matches 1: when: =call.status != "failed" is false → <nil>`},
		{"a rule that matches less", `=call.status != "failed"`, `=call.id == "x"`, `calls   no match 2: <nil> → when: =call.id == "x" is false`},
		{"a rule under another name", "name: calls", "name: phones", ""},
		{"a rule in shadow mode", "to: crm", "to: crm\n    mode: shadow", "calls   mode 2: live → shadow"},
		{"a link less", "        link: [contacts]\n", "", "calls calls  link 2: contacts → <nil>"},
		{"only what is there may be updated", "        match: id\n", "        match: id\n        create: false\n", "calls calls  create 2: missing → never"},
		{"a rule that is no more", "  - name: calls", "  - {name: other, on: message.sent, to: crm, records: [{object: a, match: b, fields: {b: x}}]}\n  - name: calls\n    enabled: false", "calls   no match 2: <nil> → enabled: the rule is switched off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			changed := strings.Replace(rules, c.old, c.new, 1)
			both := contrast.New(read(t, rules), read(t, changed), false)
			for i, status := range []string{"completed", "answered", "failed"} {
				both.Add(&event.Event{ID: fmt.Sprint("evt_", i+1), Type: event.CallEnded, Call: &event.Call{ID: "c", Status: status}, Contact: &event.Contact{Email: "erika@example.com", Status: "reached"}})
			}
			r := both.Report()
			var got []string
			for _, g := range r.Groups {
				got = append(got, fmt.Sprintf("%s %s %s %s %d: %v → %v", g.Rule, g.Object, g.Field, g.What, g.Events, g.Before, g.After))
			}
			if s := strings.Join(got, "\n"); s != c.want || r.Events != 3 {
				t.Errorf("got %d events and\n%s\nwant\n%s", r.Events, s, c.want)
			}
			if (r.Differ == 0) != (c.want == "") {
				t.Errorf("got %d that differ", r.Differ)
			}
		})
	}
}
