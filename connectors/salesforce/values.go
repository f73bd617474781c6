package salesforce

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
)

const (
	instant = "2006-01-02T15:04:05.000Z"
	clock   = "15:04:05.000Z"
)

// encode makes a value right for a field; nil clears it. skip says that there
// is nothing to write.
func (c *Connector) encode(ctx context.Context, f connectors.Field, m more, v connectors.Value) (cell any, note string, skip bool, err *connectors.Error) {
	switch {
	case f.Type == connectors.Reference:
		id, err := c.encodeReference(ctx, f, m, v)
		if err != nil || id == "" {
			return nil, "", err == nil && v != nil, err
		}
		return id, "", false, nil
	case f.Native == "time":
		return c.encodeClock(f, v)
	case f.Type == connectors.Boolean && v == nil:
		return false, "", false, nil // a checkbox is never empty
	}
	coercion := c.coercion
	coercion.AnyOption = !m.restricted
	made, err := coercion.Coerce(f, v)
	if err != nil {
		return nil, "", false, err
	}
	cell, note = wireValue(f, m, made.Value)
	if made.Note != "" {
		note = made.Note
	}
	return cell, note, made.Skip, nil
}

// encodeReference takes ids, and e-mail addresses where the field leads to a
// user: of a list the first that is one.
func (c *Connector) encodeReference(ctx context.Context, f connectors.Field, m more, v connectors.Value) (string, *connectors.Error) {
	list := connectors.AsList(v)
	if len(list) == 0 {
		return "", nil
	}
	if slices.Contains(m.refs, "User") {
		isID := func(s string) bool { _, ok := longID(s); return ok }
		id, err := connectors.FirstUser(f, v, isID, func(email string) (string, *connectors.Error) { return c.user(ctx, f.Name, email) })
		if long, ok := longID(id); ok {
			id = long
		}
		return id, err
	}
	s, ok := list[0].(string)
	s = strings.TrimSpace(s)
	if id, isID := longID(s); ok && isID && len(list) == 1 {
		return id, nil
	}
	switch {
	case !ok || len(list) > 1:
		return "", connectors.Wrong(f, v, "one id")
	case s == "":
		return "", nil
	}
	return "", connectors.Wrong(f, v, "the id of a record, of 15 or 18 characters")
}

// user gives the id of the active user with a user name or e-mail address.
func (c *Connector) user(ctx context.Context, field, email string) (string, *connectors.Error) {
	email = strings.ToLower(email)
	id, err := c.users.Get(ctx, email, func(ctx context.Context) (string, error) {
		q := "SELECT Id, Username FROM User WHERE IsActive = TRUE AND (Email = " + quote(email) + " OR Username = " + quote(email) + ") ORDER BY CreatedDate LIMIT 50"
		rows, err := c.query(ctx, q)
		if err != nil {
			return "", err
		}
		// A user name belongs to one user; several may share an address.
		for _, r := range rows {
			if strings.EqualFold(r.text("Username"), email) {
				return r.id(), nil
			}
		}
		if len(rows) > 1 {
			return "several", nil
		}
		if len(rows) == 0 {
			return "", nil // kept as well, or every record with it would ask again
		}
		return rows[0].id(), nil
	})
	switch {
	case err != nil:
		return "", connectors.AsError(err)
	case id == "":
		return "", &connectors.Error{Kind: connectors.Invalid, Field: field, Code: connectors.CodeNoUser, Message: "no active user of the org has the e-mail address; name a fallback: '=[call.agent.email, \"somebody@…\"]'"}
	case id == "several":
		return "", &connectors.Error{Kind: connectors.Invalid, Field: field, Code: connectors.CodeNoUser, Message: "several users of the org have the e-mail address; write the user name"}
	}
	return id, nil
}

// encodeClock is for the type time: a time of day.
func (c *Connector) encodeClock(f connectors.Field, v connectors.Value) (any, string, bool, *connectors.Error) {
	zone := c.coercion.Zone
	if zone == nil {
		zone = time.UTC
	}
	if v == nil {
		return nil, "", false, nil
	}
	if s, ok := v.(string); ok {
		s = strings.TrimSpace(s)
		if s == "" {
			return nil, "empty text was not written", true, nil
		}
		for _, layout := range []string{"15:04", "15:04:05", clock} {
			if t, err := time.Parse(layout, s); err == nil {
				return t.Format(clock), "", false, nil
			}
		}
	}
	t, onlyDay, ok := connectors.AsTime(v, zone)
	if !ok || onlyDay {
		return nil, "", false, connectors.Wrong(f, v, "a time of day such as 14:30")
	}
	return t.In(zone).Format(clock), "", false, nil
}

// wireValue writes a coerced value as Salesforce reads it; the note says how a
// number was made to fit.
func wireValue(f connectors.Field, m more, v connectors.Value) (any, string) {
	switch v := v.(type) {
	case string:
		// Salesforce drops blanks around text.
		if v = strings.TrimSpace(v); v == "" {
			return nil, ""
		}
		return v, ""
	case time.Time:
		if f.Type == connectors.Date {
			return v.Format(time.DateOnly), ""
		}
		return v.Truncate(time.Second).Format(instant), ""
	case []string:
		if len(v) == 0 {
			return nil, ""
		}
		return strings.Join(v, ";"), ""
	case json.Number:
		return wireNumber(f, m, v)
	}
	return v, ""
}

func wireNumber(f connectors.Field, m more, n json.Number) (any, string) {
	places := -1
	switch f.Native {
	case "int", "long":
		places = 0
	case "double", "currency", "percent":
		places = m.scale
	}
	x, err := n.Float64()
	_, fraction, _ := strings.Cut(n.String(), ".")
	if err != nil || places < 0 || len(fraction) <= places {
		return n, ""
	}
	unit := math.Pow10(places)
	rounded := json.Number(strconv.FormatFloat(math.Round(x*unit)/unit, 'f', -1, 64))
	if f.Type == connectors.Duration {
		return rounded, "" // nobody misses a part of a second
	}
	return rounded, "rounded to the field's decimal places"
}

// value is a field's value as Find returns it.
func value(f connectors.Field, v any) connectors.Value {
	switch v := v.(type) {
	case json.Number:
		if f.Type != connectors.Duration {
			f.Type = connectors.Number
		}
		return connectors.Decode(f, v.String())
	case string:
		made := connectors.Decode(f, v)
		if list, ok := made.([]any); ok {
			inOrder(f, list)
		}
		return made
	case bool:
		return v
	}
	return nil // objects, such as addresses
}

// inOrder puts several options in the field's own order: Salesforce keeps them in
// another than they were sent in (help, "Multi-Select Picklist Value Ordering
// Behavior", 2026-11), and nobody has changed them for that.
func inOrder(f connectors.Field, list []any) {
	at := func(v any) int {
		return slices.IndexFunc(f.Options, func(o connectors.Option) bool { return o.Value == v })
	}
	slices.SortFunc(list, func(a, b any) int { return cmp.Or(at(a)-at(b), cmp.Compare(fmt.Sprint(a), fmt.Sprint(b))) })
}

// record is a row with the asked fields.
func record(o object, r wireRow, asked []string) connectors.Record {
	out := connectors.Record{ID: r.id(), Fields: map[string]connectors.Value{}}
	out.Created, _ = value(connectors.Field{Type: connectors.DateTime}, r["CreatedDate"]).(time.Time)
	out.Modified, _ = value(connectors.Field{Type: connectors.DateTime}, r["LastModifiedDate"]).(time.Time)
	for _, name := range asked {
		if v := value(o.Fields[name], r[name]); v != nil {
			out.Fields[name] = v
		}
	}
	return out
}
