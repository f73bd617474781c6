package pipedrive

import (
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// Address implements connectors.Account.
func (c *Connector) Address() string { return c.client.Address() }

// Limits implements connectors.Account.
func (c *Connector) Limits() []connectors.Limit {
	left, most := c.limits.Left()
	found, searches := c.search.Left()
	out := []connectors.Limit{{Name: connectors.LimitWindow, Left: left, Most: most}, {Name: connectors.LimitSearch, Left: found, Most: searches}}
	if left, most := c.budget.left(time.Now()); most > 0 {
		out = append(out, connectors.Limit{Name: connectors.LimitDay, Left: left, Most: most})
	}
	return out
}

// left is how many tokens of the settings' tokens_per_day are left; both 0
// without one.
func (b *budget) left(now time.Time) (left, most int) {
	return max(b.perDay-b.spent.on(now), 0), b.perDay
}
