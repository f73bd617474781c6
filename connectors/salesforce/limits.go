package salesforce

import "github.com/crmsyncd/crmsyncd/connectors"

// Address implements connectors.Account.
func (c *Connector) Address() string { return c.client.Address() }

// Limits implements connectors.Account: the calls of 24 hours, once an answer
// has told them.
func (c *Connector) Limits() []connectors.Limit {
	left, most := c.usage.left()
	if most == 0 {
		return nil
	}
	return []connectors.Limit{{Name: connectors.LimitDay, Left: left, Most: most}}
}

// left is how many calls are left before the reserve that others keep, and how
// many there are in 24 hours; both 0 while that is not known.
func (u *usage) left() (left, most int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return max(u.most-u.most*u.reserve/100-u.used, 0), u.most
}
