package admin

import (
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/store"
)

// Mend says what a person can do about a dead delivery; "" of any other.
func (d Delivery) Mend() string {
	if d.State != store.Dead {
		return ""
	}
	if strings.HasPrefix(d.Reason, "given up after ") {
		return "it was tried for long enough: mend what the reason says, or wait until the CRM answers again; then retry"
	}
	switch d.Kind {
	case connectors.Invalid.String():
		return "mend the rule, or what is missing in the CRM; reload, then retry"
	case connectors.Ambiguous.String():
		return "merge the records in the CRM, or say on_many in the rule; then retry"
	case connectors.Conflict.String():
		return "another record has this value: merge them in the CRM; then retry"
	case connectors.NotFound.String():
		return "the record is gone from the CRM: bring it back, or retry, which looks for it again"
	case connectors.Auth.String():
		return "mend the credentials or rights, which crmsyncd doctor looks at; then retry"
	}
	return "mend what the reason says; then retry"
}
