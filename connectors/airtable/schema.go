package airtable

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
	"github.com/crmsyncd/crmsyncd/internal/oauth"
)

const (
	// maxText is the most characters of a text cell (widely quoted, 2026-11).
	maxText = 100_000
	// staleAfter is how old a schema must be for it to be read again because
	// of an unknown table, field or option: somebody may have just added it.
	staleAfter = 30 * time.Second
)

// schema is the base's tables. It is not known if the token may not read it:
// then values go out as they are.
type schema struct {
	known  bool
	at     time.Time
	tables []table
}

type table struct {
	known    bool
	id       string // "" if the schema is not known
	path     string // id, or the name that the rule uses
	object   connectors.Object
	modified string // field that holds when a row was last changed; "" if there is none
}

func (c *Connector) schema(ctx context.Context) (schema, *connectors.Error) {
	s, err := c.schemas.Get(ctx, "", func(ctx context.Context) (schema, error) {
		var answer wireTables
		q := httpx.Request{Method: http.MethodGet, Path: "/v0/meta/bases/" + url.PathEscape(c.base) + "/tables", Repeatable: true}
		if err := c.call(ctx, q, &answer); err != nil {
			if err.Kind == connectors.Auth && err.Code != "AUTHENTICATION_REQUIRED" && !errors.Is(err, oauth.ErrNoAccess) {
				return schema{at: time.Now()}, nil
			}
			return schema{}, err
		}
		names := map[string]string{}
		for _, t := range answer.Tables {
			names[t.ID] = t.Name
		}
		s := schema{known: true, at: time.Now()}
		for _, t := range answer.Tables {
			made := table{known: true, id: t.ID, path: t.ID, object: connectors.Object{Name: t.Name, Label: t.Name, Fields: map[string]connectors.Field{}}}
			for _, f := range t.Fields {
				made.object.Fields[f.Name] = fieldOf(f, names)
				if f.Type == "lastModifiedTime" && made.modified == "" {
					made.modified = f.Name
				}
			}
			s.tables = append(s.tables, made)
		}
		return s, nil
	})
	return s, connectors.AsError(err)
}

// table finds a table by name or id.
func (s schema) table(name string) (table, bool) {
	i := slices.IndexFunc(s.tables, func(t table) bool { return t.object.Name == name || t.id == name })
	if i < 0 {
		return table{}, false
	}
	return s.tables[i], true
}

// table finds a table, in a fresh schema if the one at hand does not have it.
func (c *Connector) table(ctx context.Context, name string) (table, *connectors.Error) {
	s, err := c.schema(ctx)
	if err != nil {
		return table{}, err
	}
	if !s.known {
		return table{path: name, object: connectors.Object{Name: name}}, nil
	}
	if t, ok := s.table(name); ok {
		return t, nil
	}
	if time.Since(s.at) > staleAfter {
		c.schemas.Forget()
		return c.table(ctx, name)
	}
	var names []string
	for _, t := range s.tables {
		names = append(names, t.object.Name)
	}
	message := "the base has no such table"
	if near := connectors.Nearest(name, names); near != "" {
		message += " (did you mean \"" + near + "\"?)"
	}
	return table{}, &connectors.Error{Kind: connectors.Invalid, Code: "NO_SUCH_TABLE", Message: message}
}

// field finds a field by name or id. Without a schema every name is one.
func (c *Connector) field(ctx context.Context, t table, name string) (connectors.Field, *connectors.Error) {
	if !t.known {
		return connectors.Field{Name: name, Type: connectors.Other}, nil
	}
	if f, ok := t.object.Field(name); ok {
		return f, nil
	}
	if fresh, renewed, err := c.renew(ctx, t); err != nil {
		return connectors.Field{}, err
	} else if renewed {
		return c.field(ctx, fresh, name)
	}
	return connectors.Field{}, connectors.NoField(t.object, name, "UNKNOWN_FIELD_NAME")
}

// renew reads a table anew, unless the schema was read just now.
func (c *Connector) renew(ctx context.Context, t table) (fresh table, renewed bool, err *connectors.Error) {
	if s, err := c.schema(ctx); err != nil || time.Since(s.at) <= staleAfter {
		return t, false, err
	}
	c.schemas.Forget()
	fresh, err = c.table(ctx, t.path)
	return fresh, true, err
}

// types are Airtable's cell types (field model, 2026-11). Those that are not
// here are computed or other.
var types = map[string]connectors.FieldType{
	"singleLineText": connectors.Text, "multilineText": connectors.LongText, "richText": connectors.LongText,
	"email": connectors.Email, "url": connectors.URL, "phoneNumber": connectors.Phone,
	"number": connectors.Number, "percent": connectors.Number, "currency": connectors.Number, "rating": connectors.Number,
	"checkbox": connectors.Boolean, "date": connectors.Date, "dateTime": connectors.DateTime, "duration": connectors.Duration,
	"singleSelect": connectors.Select, "multipleSelects": connectors.MultiSelect, "multipleRecordLinks": connectors.Reference,
	"createdTime": connectors.DateTime, "lastModifiedTime": connectors.DateTime, "autoNumber": connectors.Number, "count": connectors.Number,
}

var computed = []string{
	"formula", "rollup", "count", "lookup", "multipleLookupValues", "createdTime", "lastModifiedTime", "createdBy", "lastModifiedBy",
	"autoNumber", "button", "externalSyncSource", "aiText",
}

func fieldOf(w wireField, tables map[string]string) connectors.Field {
	f := connectors.Field{Name: w.Name, ID: w.ID, Label: w.Name, Native: w.Type, Type: types[w.Type], ReadOnly: slices.Contains(computed, w.Type)}
	switch f.Type {
	case "":
		f.Type = connectors.Other
	case connectors.Text, connectors.LongText:
		f.MaxLength = maxText
	case connectors.Duration:
		f.Unit = "s"
	case connectors.Reference:
		f.Target = tables[w.Options.LinkedTable]
	case connectors.Select, connectors.MultiSelect:
		f.Options = []connectors.Option{}
		for _, o := range w.Options.Choices {
			f.Options = append(f.Options, connectors.Option{Value: o.Name, Label: o.Name})
		}
	}
	f.Upsert = mergeable(f) && !f.ReadOnly
	return f
}

// mergeable tells whether an upsert may look records up by the field (update
// records, 2026-11).
func mergeable(f connectors.Field) bool {
	switch f.Native {
	case "number", "singleLineText", "multilineText", "singleSelect", "multipleSelects", "date":
		return true
	}
	// Without a schema Airtable itself must say.
	return f.Native == ""
}

// linkField finds the field through which a link goes.
func (c *Connector) linkField(ctx context.Context, t table, l connectors.Link) (connectors.Field, *connectors.Error) {
	if l.Field != "" {
		f, err := c.field(ctx, t, l.Field)
		if err == nil && t.known && f.Type != connectors.Reference {
			err = &connectors.Error{Kind: connectors.Invalid, Field: l.Field, Code: "NO_LINK_FIELD", Message: "the field does not hold links to other records"}
		}
		return f, err
	}
	bad := &connectors.Error{Kind: connectors.Invalid, Code: "NO_LINK_FIELD"}
	if !t.known {
		bad.Message = "which field links to " + l.Object + " cannot be seen without the scope schema.bases:read; name it in the rule"
		return connectors.Field{}, bad
	}
	other, err := c.table(ctx, l.Object)
	if err != nil {
		return connectors.Field{}, err
	}
	var fits []connectors.Field
	var names []string
	for _, f := range t.object.Fields {
		if f.Type == connectors.Reference && f.Target == other.object.Name && !f.ReadOnly {
			fits, names = append(fits, f), append(names, f.Name)
		}
	}
	if len(fits) == 1 {
		return fits[0], nil
	}
	if fresh, renewed, err := c.renew(ctx, t); err != nil {
		return connectors.Field{}, err
	} else if renewed {
		return c.linkField(ctx, fresh, l)
	}
	slices.Sort(names)
	bad.Message = t.object.Name + " has no field that links to " + l.Object
	if len(fits) > 1 {
		bad.Message = t.object.Name + " has several fields that link to " + l.Object + "; name one in the rule: " + strings.Join(names, ", ")
	}
	return connectors.Field{}, bad
}
