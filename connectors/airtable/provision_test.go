package airtable_test

import (
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors/connectortest"
)

func TestProvision(t *testing.T) {
	t.Parallel()
	connectortest.TestProvision(t, connectortest.Provision{
		Sandbox: start,
		New:     connect,
		Shape:   connectortest.Shape{Object: "Contacts", Name: "Name"},
		Name:    func(word string) string { return "Made " + word },
		Bad:     "fldAAAAAAAAAAAAAA",
	})
}
