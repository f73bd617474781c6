package airtable

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
)

const instant = "2006-01-02T15:04:05.000Z"

var recordID = regexp.MustCompile(`rec[0-9A-Za-z]{14}`)

var fieldID = regexp.MustCompile(`^fld[0-9A-Za-z]{14}$`)

// encode makes a value right for a table's cell; nil clears it. skip says that
// there is nothing to write.
func (c *Connector) encode(ctx context.Context, t table, f connectors.Field, v connectors.Value) (cell any, note string, skip bool, err *connectors.Error) {
	made, err := c.coercion.Coerce(f, v)
	if err != nil && err.Code == connectors.CodeOption {
		if fresh, renewed, fault := c.renew(ctx, t); fault != nil {
			return nil, "", false, fault
		} else if renewed {
			if f, err = c.field(ctx, fresh, f.Name); err == nil {
				made, err = c.coercion.Coerce(f, v)
			}
		}
	}
	if err != nil {
		return nil, "", false, err
	}
	return wireValue(f, made.Value), made.Note, made.Skip, nil
}

// wireValue writes a coerced value as Airtable reads it.
func wireValue(f connectors.Field, v connectors.Value) any {
	switch f.Native {
	case "singleCollaborator":
		if s, ok := v.(string); ok && strings.Contains(s, "@") {
			return map[string]string{"email": s}
		} else if ok {
			return map[string]string{"id": s}
		}
	case "multipleAttachments":
		var out []map[string]any
		for _, u := range connectors.AsList(v) {
			out = append(out, map[string]any{"url": u})
		}
		return out
	case "barcode":
		if v != nil {
			return map[string]any{"text": v}
		}
	}
	switch v := v.(type) {
	case time.Time:
		if f.Type == connectors.Date {
			return v.Format(time.DateOnly)
		}
		return v.Format(instant)
	case string:
		if v == "" {
			return nil
		}
	}
	return v
}

// cellValue is a cell as Find returns it.
func cellValue(f connectors.Field, v any) connectors.Value {
	switch v := v.(type) {
	case json.Number:
		return connectors.Decode(withNumber(f), v.String())
	case string:
		if f.Type == connectors.Date || f.Type == connectors.DateTime {
			return connectors.Decode(f, v)
		}
		if v == "" {
			return nil
		}
		return v
	case []any:
		if len(v) == 0 {
			return nil
		}
	}
	return v
}

// withNumber is the field with a type under which numbers are read as such;
// formulas and unknown fields hold them too.
func withNumber(f connectors.Field) connectors.Field {
	if f.Type != connectors.Duration {
		f.Type = connectors.Number
	}
	return f
}

// record is a row with the asked fields, by the names they were asked by.
func record(t table, r wireRecord, asked []string) connectors.Record {
	out := connectors.Record{ID: r.ID, Fields: map[string]connectors.Value{}}
	if r.Created != nil {
		out.Created = *r.Created
	}
	if m, ok := cellValue(t.object.Fields[t.modified], r.Fields[t.modified]).(time.Time); ok {
		out.Modified = m
	}
	for _, name := range asked {
		f, ok := t.object.Field(name)
		if !ok {
			f.Name = name
		}
		if v := cellValue(f, r.Fields[f.Name]); v != nil {
			out.Fields[name] = v
		}
	}
	return out
}
