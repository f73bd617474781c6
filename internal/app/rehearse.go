package app

import (
	"fmt"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
	"github.com/crmsyncd/crmsyncd/mapping"
)

// Rehearsal is a delivery to one account beside the daemon and any ledger.
// With shadow it only reads; else it writes, also for rules in shadow mode, and
// the account must be one that is made for that.
func (s *Setup) Rehearsal(connector string, account connectors.Connector, shadow bool) deliver.Setup {
	if shadow {
		account = deliver.ReadOnly(account)
	}
	return deliver.Setup{
		Rules: rehearsed{s.planner(), shadow}, Fit: s.fit,
		Connectors: map[string]deliver.Target{connector: {Connector: account, Wave: 1, Shadow: shadow}},
	}
}

// rehearsed is the rules, all of them in shadow mode, or none.
type rehearsed struct {
	planner
	shadow bool
}

// Plan implements deliver.Planner.
func (r rehearsed) Plan(ev *event.Event, connector string) (mapping.Plan, error) {
	plan, err := r.planner.Plan(ev, connector)
	for i := range plan.Records {
		plan.Records[i].Shadow = r.shadow
	}
	return plan, err
}

// Open opens a connector of the settings once more; alter may change what it
// is given.
func (s *Setup) Open(connector string, alter func(*connectors.Options)) (connectors.Connector, error) {
	open, ok := s.opens[connector]
	if !ok {
		return nil, s.noConnector(connector)
	}
	c, _, problems := open(alter)
	if c == nil {
		return nil, fmt.Errorf("connector %q cannot be opened: %w", connector, problems)
	}
	return c, nil
}
