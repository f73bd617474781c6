package airtable_test

import (
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// TestWhatAirtableLeavesOutIsSaidAsFindWould/a box without a tick is not in its answers.
func TestWhatAirtableLeavesOutIsSaidAsFindWould(t *testing.T) {
	t.Parallel()
	c, _, _ := base(t)
	r := must(t, c, connectors.Change{Object: "Contacts", Fields: map[string]connectors.Value{"Name": "Erika", "Do not call": false}})
	told, said := r.Fields["Do not call"]
	list, err := c.(connectors.Reader).Read(t.Context(), "Contacts", []string{r.ID}, []string{"Do not call"})
	if err != nil {
		t.Fatal(err)
	}
	if is := list[0].Record.Fields["Do not call"]; !said || connectors.Hash(told) != connectors.Hash(is) {
		t.Errorf("Write says %v (%v), and Read %v", told, said, is)
	}
}
