package hubspot_test

import (
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors/connectortest"
)

func TestProvision(t *testing.T) {
	t.Parallel()
	connectortest.TestProvision(t, connectortest.Provision{
		Sandbox: start,
		New:     connect,
		Shape:   connectortest.Shape{Object: "contacts", Name: "firstname"},
		Name:    func(word string) string { return "made_" + word },
		Bad:     "Made It",
		Unique:  true,
	})
}
