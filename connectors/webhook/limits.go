package webhook

import "github.com/crmsyncd/crmsyncd/connectors"

// Address implements connectors.Account. The path is left out: it may be a
// secret.
func (c *Connector) Address() string { return c.client.Address() }

// Limits implements connectors.Account.
func (c *Connector) Limits() []connectors.Limit {
	left, most := c.limits.Left()
	return []connectors.Limit{{Name: connectors.LimitWindow, Left: left, Most: most}}
}
