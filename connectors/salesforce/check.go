package salesforce

import (
	"context"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// CheckField implements connectors.Checker.
func (c *Connector) CheckField(ctx context.Context, object, name string) (connectors.Field, *connectors.Error) {
	f, _, err := c.field(ctx, object, name)
	return f, err
}

// CheckValue implements connectors.Checker.
func (c *Connector) CheckValue(ctx context.Context, object string, f connectors.Field, v connectors.Value) *connectors.Error {
	f, m, err := c.field(ctx, object, f.Name)
	if err != nil {
		return err
	}
	_, _, _, err = c.encode(ctx, f, m, v)
	return err
}

// CheckKey implements connectors.Checker.
func (c *Connector) CheckKey(ctx context.Context, object string, fields []connectors.Field) *connectors.Error {
	for _, f := range fields {
		_, m, err := c.field(ctx, object, f.Name)
		if err != nil {
			return err
		}
		if !m.filter {
			return notSearchable(f.Name)
		}
	}
	return nil
}

// CheckLink implements connectors.Checker.
func (c *Connector) CheckLink(ctx context.Context, object string, l connectors.Link) *connectors.Error {
	o, err := c.object(ctx, object)
	if err != nil {
		return err
	}
	_, err = o.linkField(l)
	return err
}

// Objects implements connectors.Lister: those that rules are mostly written
// for. An org has many hundreds.
func (c *Connector) Objects(context.Context) ([]string, error) {
	return []string{"Lead", "Contact", "Account", "Opportunity", "Case", "Task", "Event"}, nil
}
