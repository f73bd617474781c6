package pipedrive_test

import (
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors/connectortest"
)

func TestProvision(t *testing.T) {
	t.Parallel()
	connectortest.TestProvision(t, connectortest.Provision{
		Sandbox: start,
		New:     connect,
		Shape:   connectortest.Shape{Object: "persons", Name: "name"},
		Name:    func(word string) string { return "Made " + word },
		Bad:     "0123456789abcdef0123456789abcdef01234567",
		NoTimes: true,
		NoBools: true,
	})
}
