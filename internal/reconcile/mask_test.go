package reconcile

import (
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
)

// TestFindingsShowNoName/that a person wrote where our value is a word or a figure.
func TestFindingsShowNoName(t *testing.T) {
	t.Parallel()
	ev := &event.Event{Type: event.CallEnded, Contact: &event.Contact{Status: "reached"}, Call: &event.Call{Status: event.NotReached}}
	for _, c := range []struct {
		ours, theirs         connectors.Value
		shownOurs, shownText string
	}{
		{"reached", "pending", "reached", "pending"},
		{"reached", "not_reached", "reached", "not_reached"},
		{"not_reached", "closed", "not_reached", "closed"},
		{"reached", "VIP", "reached", "VIP"},
		{"REACHED", "CLOSED", "REACHED", "CLOSED"},
		{"Reached", "Pending", "Reached", "Pending"},
		{"reached", "Anna Berg", "reached", "A… (9 characters)"},
		{"reached", "anna berg", "reached", "a… (9 characters)"},
		{"reached", "Berg", "reached", "B… (4 characters)"},
		{"Reached", "Anna Berg", "Reached", "A… (9 characters)"},
		{3, "4", "3", "4"},
		{3, 4, "3", "4"},
		{3, "see Anna", "3", "s… (8 characters)"},
		{true, "false", "true", "false"},
		{true, "Anna", "true", "A… (4 characters)"},
		{event.Seconds(90), nil, "90", "(empty)"},
		{"Anna", "reached", "A… (4 characters)", "r… (7 characters)"},
	} {
		if ours, theirs := masked(c.ours, c.theirs, ev); ours != c.shownOurs || theirs != c.shownText {
			t.Errorf("%v and %v: got %q, %q; want %q, %q", c.ours, c.theirs, ours, theirs, c.shownOurs, c.shownText)
		}
	}
}
