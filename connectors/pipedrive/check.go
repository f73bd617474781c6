package pipedrive

import (
	"context"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// CheckField implements connectors.Checker.
func (c *Connector) CheckField(ctx context.Context, object, name string) (connectors.Field, *connectors.Error) {
	return c.field(ctx, object, name)
}

// CheckValue implements connectors.Checker.
func (c *Connector) CheckValue(ctx context.Context, _ string, f connectors.Field, v connectors.Value) *connectors.Error {
	_, _, _, err := c.encode(ctx, f, v)
	return err
}

// CheckKey implements connectors.Checker. What has no search is looked for
// among the records of the person that it belongs to, by any field.
func (c *Connector) CheckKey(ctx context.Context, object string, fields []connectors.Field) *connectors.Error {
	s, err := c.shape(ctx, object)
	if err != nil || !s.kind.searchable() || len(fields) == 0 {
		return err
	}
	key := make([]term, len(fields))
	for i, f := range fields {
		key[i] = term{field: f}
	}
	if len(c.forms(s.kind, key)) == 0 {
		return notSearchable(s.kind, fields[0])
	}
	return nil
}

// someID and someUUID stand for the id of a record that is not there yet.
const (
	someID   = "1"
	someUUID = "00000000-0000-0000-0000-000000000000"
)

// CheckLink implements connectors.Checker.
func (c *Connector) CheckLink(ctx context.Context, object string, l connectors.Link) *connectors.Error {
	s, err := c.shape(ctx, object)
	if err != nil {
		return err
	}
	l.ID = someID
	if to := kindOf(l.Object); to != nil && to.name == "leads" {
		l.ID = someUUID
	}
	return c.link(ctx, &item{change: &connectors.Change{Object: object}, shape: s, values: map[string]any{}, names: map[string]field{}}, l)
}

// Objects implements connectors.Lister.
func (c *Connector) Objects(context.Context) ([]string, error) {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names, nil
}
