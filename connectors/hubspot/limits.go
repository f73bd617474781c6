package hubspot

import "github.com/crmsyncd/crmsyncd/connectors"

// Address implements connectors.Account.
func (c *Connector) Address() string { return c.client.Address() }

// Limits implements connectors.Account.
func (c *Connector) Limits() []connectors.Limit {
	left, most := c.limits.Left()
	found, searches := c.search.Left()
	return []connectors.Limit{{Name: connectors.LimitWindow, Left: left, Most: most}, {Name: connectors.LimitSearch, Left: found, Most: searches}}
}
