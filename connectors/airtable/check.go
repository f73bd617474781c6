package airtable

import (
	"context"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// CheckField implements connectors.Checker.
func (c *Connector) CheckField(ctx context.Context, object, name string) (connectors.Field, *connectors.Error) {
	t, err := c.table(ctx, object)
	if err != nil {
		return connectors.Field{}, err
	}
	return c.field(ctx, t, name)
}

// CheckValue implements connectors.Checker.
func (c *Connector) CheckValue(ctx context.Context, object string, f connectors.Field, v connectors.Value) *connectors.Error {
	t, err := c.table(ctx, object)
	if err == nil {
		_, _, _, err = c.encode(ctx, t, f, v)
	}
	return err
}

// CheckKey implements connectors.Checker.
func (c *Connector) CheckKey(_ context.Context, _ string, fields []connectors.Field) *connectors.Error {
	for _, f := range fields {
		if f.Type == connectors.Reference {
			return noLinkMatch(f.Name)
		}
	}
	return nil
}

// CheckLink implements connectors.Checker.
func (c *Connector) CheckLink(ctx context.Context, object string, l connectors.Link) *connectors.Error {
	t, err := c.table(ctx, object)
	if err != nil {
		return err
	}
	f, err := c.linkField(ctx, t, l)
	if err != nil || f.Target == "" {
		return err
	}
	if other, err := c.table(ctx, l.Object); err == nil && other.known && f.Target != other.object.Name {
		return &connectors.Error{Kind: connectors.Invalid, Field: f.Name, Code: "NO_LINK_FIELD", Message: "the field links to " + f.Target + ", not to " + other.object.Name}
	}
	return nil
}

// Objects implements connectors.Lister: all tables of the base.
func (c *Connector) Objects(ctx context.Context) ([]string, error) {
	s, err := c.schema(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range s.tables {
		names = append(names, t.object.Label)
	}
	return names, nil
}
