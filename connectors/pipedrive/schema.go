package pipedrive

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

const (
	// maxVarchar is the most characters of short text (custom fields, 2026-11).
	maxVarchar = 255
	// maxHTML is the most bytes of notes (changelog of 2025-09-21).
	maxHTML = 100_000
	// staleAfter is how old fields or users must be to be read again because of
	// an unknown one: somebody may have just added it. Each time costs tokens.
	staleAfter = 5 * time.Minute
)

// read is an object as it was read at a time.
type read struct {
	kind   *kind
	object connectors.Object
	at     time.Time
}

// hashed are the keys of custom fields.
var hashed = regexp.MustCompile(`^[0-9a-f]{40}$`)

func custom(f connectors.Field) bool { return f.ID != "" && hashed.MatchString(f.ID) }

// code is the field's name in the API.
func code(f connectors.Field) string {
	if f.ID != "" {
		return f.ID
	}
	return f.Name
}

// shape is an object with its fields.
func (c *Connector) shape(ctx context.Context, name string) (read, *connectors.Error) {
	k := kindOf(name)
	if k == nil {
		var names []string
		for _, k := range kinds {
			names = append(names, k.name)
		}
		return read{}, &connectors.Error{Kind: connectors.Invalid, Code: codeNoObject, Message: "Pipedrive has no object " + strconv.Quote(name) + "; it has " + strings.Join(names, ", ")}
	}
	r, err := c.schemas.Get(ctx, k.name, func(ctx context.Context) (read, error) {
		fields, err := c.readFields(ctx, k)
		if err != nil {
			return read{}, err
		}
		return read{k, objectOf(k, fields), time.Now()}, nil
	})
	r.object.Name = name
	return r, connectors.AsError(err)
}

// readFields reads what the account knows of the object's fields, and as one of
// them the types of activities.
func (c *Connector) readFields(ctx context.Context, k *kind) ([]wireField, error) {
	var all []wireField
	if k.fields == "" {
		return nil, nil
	}
	q := url.Values{"limit": {"500"}}
	for {
		var page wireFields
		if err := c.call(ctx, httpx.Request{Method: http.MethodGet, Path: k.fields, Query: q, Repeatable: true}, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Data...)
		if page.Additional.Cursor == "" || len(page.Data) == 0 {
			break
		}
		q.Set("cursor", page.Additional.Cursor)
	}
	if k.name != "activities" {
		return all, nil
	}
	var types wireTypes
	if err := c.call(ctx, httpx.Request{Method: http.MethodGet, Path: v1 + "/activityTypes", Repeatable: true}, &types); err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(f wireField) bool { return f.Code == "type" })
	f := wireField{Code: "type"}
	for _, t := range types.Data {
		if t.Active {
			f.Options = append(f.Options, struct {
				ID    wireID `json:"id"`
				Label string `json:"label"`
			}{wireID(t.Key), t.Name})
		}
	}
	return append(all, f), nil
}

// objectOf puts fixed and custom fields together. A custom field goes by its
// name; where two have one name, or it is that of a fixed field, by its key.
func objectOf(k *kind, fields []wireField) connectors.Object {
	o := connectors.Object{Name: k.name, Label: k.name, Fields: map[string]connectors.Field{}}
	for _, f := range k.fixedFields() {
		o.Fields[f.Name] = f
	}
	times := map[string]int{}
	for _, w := range fields {
		times[strings.ToLower(w.Name)]++
	}
	for _, w := range fields {
		var options []connectors.Option
		for _, x := range w.Options {
			options = append(options, connectors.Option{Value: string(x.ID), Label: x.Label})
		}
		if f, fixed := o.Fields[w.Code]; fixed {
			if options != nil && (f.Type == connectors.Select || f.Type == connectors.MultiSelect) {
				f.Options = options
			}
			if w.Name != "" {
				f.Label = w.Name
			}
			o.Fields[f.Name] = f
			continue
		}
		if !w.Custom || !hashed.MatchString(w.Code) {
			continue // computed, or nothing that rules need
		}
		f := connectors.Field{Name: w.Name, ID: w.Code, Label: w.Name, Native: w.Type, Options: options}
		typed(&f)
		if f.Options == nil && (f.Type == connectors.Select || f.Type == connectors.MultiSelect) {
			f.Options = []connectors.Option{}
		}
		if _, taken := o.Fields[w.Name]; taken || times[strings.ToLower(w.Name)] > 1 {
			f.Name = w.Code
		}
		o.Fields[f.Name] = f
	}
	return o
}

// field finds a field, in fresh ones if those at hand are not.
func (c *Connector) field(ctx context.Context, object, name string) (connectors.Field, *connectors.Error) {
	r, err := c.shape(ctx, object)
	if err != nil {
		return connectors.Field{}, err
	}
	f, err := pick(r.object, name)
	if err != nil && err.Code == codeNoField && r.kind.fields != "" && time.Since(r.at) > staleAfter {
		c.schemas.Forget()
		return c.field(ctx, object, name)
	}
	return f, err
}

// pick finds a field by its name or key, then by its name or label in any case.
func pick(o connectors.Object, name string) (connectors.Field, *connectors.Error) {
	if f, ok := o.Field(name); ok {
		return f, nil
	}
	var fits []connectors.Field
	for _, f := range o.Fields {
		if strings.EqualFold(strings.TrimSpace(f.Label), strings.TrimSpace(name)) || strings.EqualFold(f.Name, name) {
			fits = append(fits, f)
		}
	}
	switch len(fits) {
	case 0:
		return connectors.Field{}, connectors.NoField(o, name, codeNoField)
	case 1:
		return fits[0], nil
	}
	var keys []string
	for _, f := range fits {
		keys = append(keys, code(f))
	}
	slices.Sort(keys)
	return connectors.Field{}, &connectors.Error{Kind: connectors.Invalid, Field: name, Code: "SEVERAL_FIELDS",
		Message: "several fields of " + o.Name + " have this name; use the key of one of them: " + strings.Join(keys, ", ")}
}

// directory is the company's users.
type directory struct {
	byEmail map[string]string
	at      time.Time
}

// encodeUser gives the id of the first of the users that a value names by their
// e-mail addresses, in any case, or an id. Only where none of them is known the
// users are read again: a fallback is mostly there because somebody has left,
// and reading for each call that names them would eat the day's tokens.
func (c *Connector) encodeUser(ctx context.Context, f connectors.Field, v connectors.Value) (any, bool, *connectors.Error) {
	var read time.Time
	find := func(email string) (string, *connectors.Error) {
		d, err := c.directory(ctx)
		if err != nil {
			return "", err
		}
		read = d.at
		if id, ok := d.byEmail[strings.ToLower(email)]; ok {
			return id, nil
		}
		return "", &connectors.Error{Kind: connectors.Invalid, Field: f.Name, Code: connectors.CodeNoUser, Message: "no active user of this Pipedrive company has the e-mail address; name a fallback: '=[call.agent.email, \"somebody@…\"]'"}
	}
	id, err := connectors.FirstUser(f, v, digits, find)
	if err != nil && err.Code == connectors.CodeNoUser && time.Since(read) > staleAfter {
		c.users.Forget()
		id, err = connectors.FirstUser(f, v, digits, find)
	}
	return json.Number(id), err == nil && id == "", err
}

// directory reads the company's users.
func (c *Connector) directory(ctx context.Context) (directory, *connectors.Error) {
	d, err := c.users.Get(ctx, "", func(ctx context.Context) (directory, error) {
		var answer wireUsers
		if err := c.call(ctx, httpx.Request{Method: http.MethodGet, Path: v1 + "/users", Repeatable: true}, &answer); err != nil {
			return directory{}, err
		}
		d := directory{byEmail: map[string]string{}, at: time.Now()}
		for _, u := range answer.Data {
			if u.Active {
				d.byEmail[strings.ToLower(u.Email)] = string(u.ID)
			}
		}
		return d, nil
	})
	return d, connectors.AsError(err)
}
