package hubspot

import (
	"context"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// CheckField implements connectors.Checker.
func (c *Connector) CheckField(ctx context.Context, object, name string) (connectors.Field, *connectors.Error) {
	f, err := c.field(ctx, object, name)
	// HubSpot refuses a second contact with an address, though the property
	// does not say so, and no upsert goes by it.
	f.Unique = f.Unique || err == nil && name == "email" && isContacts(object)
	return f, err
}

// CheckValue implements connectors.Checker.
func (c *Connector) CheckValue(ctx context.Context, object string, f connectors.Field, v connectors.Value) *connectors.Error {
	_, _, _, err := c.encode(ctx, object, f, v)
	return err
}

// CheckKey implements connectors.Checker: HubSpot finds by any property.
func (c *Connector) CheckKey(context.Context, string, []connectors.Field) *connectors.Error {
	return nil
}

// CheckLink implements connectors.Checker.
func (c *Connector) CheckLink(ctx context.Context, object string, l connectors.Link) *connectors.Error {
	switch {
	case l.Field != "":
		return &connectors.Error{Kind: connectors.Invalid, Field: l.Field, Code: "NO_LINK_FIELD", Message: "HubSpot links by associations, not through fields; leave field: out"}
	case l.Type == "" || l.Type == itsCompany || l.Type == itsOpenDeals:
		return nil
	case strings.HasPrefix(l.Type, "$"):
		return noWay(l.Type)
	}
	_, err := c.linkType(ctx, object, l.Object, l.Type)
	return err
}

// standard are the objects that most accounts have (object guides, 2026-11).
var standard = []string{"contacts", "companies", "deals", "leads", "tickets", "calls", "notes", "tasks", "meetings"}

// Objects implements connectors.Lister: the standard objects. Custom objects
// are not listed, as reading them takes a scope that is needed for nothing else.
func (c *Connector) Objects(context.Context) ([]string, error) {
	return slices.Clone(standard), nil
}
