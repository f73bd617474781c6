package hubspot

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
)

const instant = "2006-01-02T15:04:05.000Z"

// encode makes a value right for a property. Every value of HubSpot's is text;
// "" clears. skip says that there is nothing to write.
func (c *Connector) encode(ctx context.Context, object string, f connectors.Field, v connectors.Value) (text, note string, skip bool, err *connectors.Error) {
	if f.Name == ownerField {
		text, err = c.encodeOwner(ctx, f, v)
		return text, "", err == nil && text == "" && v != nil, err
	}
	made, err := c.coercion.Coerce(f, v)
	if err != nil && err.Code == connectors.CodeOption && c.renew(ctx, object) {
		if f, err = c.field(ctx, object, f.Name); err == nil {
			made, err = c.coercion.Coerce(f, v)
		}
	}
	if err != nil {
		return "", "", false, err
	}
	if f.Name == "hs_call_recording_url" && made.Value != nil && !strings.HasPrefix(made.Value.(string), "https://") {
		return "", "", false, &connectors.Error{Kind: connectors.Invalid, Field: f.Name, Code: connectors.CodeValue, Message: "HubSpot takes https links only"}
	}
	return wireText(f, made.Value), made.Note, made.Skip, nil
}

// wireText writes a coerced value as HubSpot reads it.
func wireText(f connectors.Field, v connectors.Value) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return v.String()
	case time.Time:
		if f.Type == connectors.Date {
			return v.Format(time.DateOnly)
		}
		return v.Format(instant)
	case []string:
		return strings.Join(v, ";")
	}
	return fmt.Sprint(v)
}

// record is a record with the asked properties.
func record(o connectors.Object, r wireRecord, asked []string) connectors.Record {
	out := connectors.Record{ID: r.ID, Created: r.CreatedAt, Modified: r.UpdatedAt, Fields: map[string]connectors.Value{}}
	for _, name := range asked {
		if v := connectors.Decode(o.Fields[name], r.text(name)); v != nil {
			out.Fields[name] = v
		}
	}
	return out
}
