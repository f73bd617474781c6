package hubspot

import (
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors"
)

func TestANumberIsTheSameHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	for _, f := range []connectors.Field{{Type: connectors.Number}, {Type: connectors.Duration, Unit: "ms"}} {
		if !sameText(f, "1234", "1234.00") || !sameText(f, "12.50", "12.5") || sameText(f, "12", "12.5") || sameText(f, "", "0") {
			t.Errorf("%s: compared as text", f.Type)
		}
	}
}
