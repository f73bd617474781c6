package salesforce

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// CheckField implements connectors.Checker.
func (c *Connector) CheckField(ctx context.Context, object, name string) (connectors.Field, *connectors.Error) {
	f, _, err := c.field(ctx, object, name)
	if err != nil && err.Code == codeNoField && c.hidden(ctx, object, name) {
		return f, &connectors.Error{Kind: connectors.Invalid, Field: name, Code: connectors.CodeHidden, Message: object + " has this field, but crmsyncd's user may not see it: " + byRight}
	}
	return f, err
}

// hidden asks the org's setup for a field that describe does not show: one that
// is there must not be made, but granted. Who may not look into the setup
// may make no fields either, so no answer is a no.
func (c *Connector) hidden(ctx context.Context, object, name string) bool {
	if !customName.MatchString(name) {
		return false
	}
	of := "TableEnumOrId = " + quote(ownerOf(object))
	if strings.HasSuffix(object, "__c") { // which TableEnumOrId has by their ids
		of = "EntityDefinition.QualifiedApiName = " + quote(object)
	}
	q := "SELECT Id FROM CustomField WHERE " + of + " AND DeveloperName = " + quote(strings.TrimSuffix(name, "__c"))
	var found wireQueried
	err := c.call(ctx, httpx.Request{Method: http.MethodGet, Path: c.path("/tooling/query"), Query: url.Values{"q": {q}}, Repeatable: true}, &found)
	return err == nil && len(found.Records) > 0
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
