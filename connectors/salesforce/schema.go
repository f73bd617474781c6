package salesforce

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// staleAfter is how old a schema must be for it to be read again because of an
// unknown field: somebody may have just added it.
const staleAfter = 30 * time.Second

// object is an object as it was described at a time.
type object struct {
	connectors.Object
	prefix string
	more   map[string]more
	at     time.Time
}

// more is what is known of a field beside what all connectors tell.
type more struct {
	create, update bool
	filter         bool
	caseSensitive  bool
	restricted     bool
	scale          int
	refs           []string // what a reference may lead to
}

// known keeps descriptions beyond the cache's time, so that an object that did
// not change costs an answer without body.
type known struct {
	mu      sync.Mutex
	objects map[string]described
}

type described struct {
	object object
	since  string // HTTP date
}

func (k *known) get(name string) described {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.objects[name]
}

func (k *known) put(name string, d described) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.objects == nil {
		k.objects = map[string]described{}
	}
	k.objects[name] = d
}

func (c *Connector) object(ctx context.Context, name string) (object, *connectors.Error) {
	o, err := c.schemas.Get(ctx, name, func(ctx context.Context) (object, error) {
		o, err := c.describe(ctx, name)
		if err != nil {
			return object{}, err
		}
		return o, nil
	})
	return o, connectors.AsError(err)
}

func (c *Connector) describe(ctx context.Context, name string) (object, *connectors.Error) {
	before := c.known.get(name)
	q := httpx.Request{Method: http.MethodGet, Path: c.path("/sobjects/" + url.PathEscape(name) + "/describe"), Repeatable: true}
	if before.since != "" {
		q.Header = http.Header{"If-Modified-Since": {before.since}}
	}
	answer, err := c.ask(ctx, q)
	switch {
	case err != nil:
		return object{}, err
	case answer.Status == http.StatusNotModified && before.since != "":
		before.object.at = time.Now()
		return before.object, nil
	case answer.Status >= 300:
		err := classify(answer, true)
		if err.Kind == connectors.NotFound || err.Code == "INVALID_TYPE" {
			err.Kind, err.Code, err.Message = connectors.Invalid, codeNoObject, "Salesforce has no object "+strconv.Quote(name)+", or crmsyncd's user may not see it"
		}
		return object{}, err
	}
	var w wireObject
	if err := decode(answer.Body, &w, true); err != nil {
		return object{}, err
	}
	o := objectOf(name, w)
	since := answer.Header.Get("Last-Modified")
	if since == "" {
		since = answer.Header.Get("Date")
	}
	c.known.put(name, described{o, since})
	return o, nil
}

// field finds a field, in a fresh schema if the one at hand is not.
func (c *Connector) field(ctx context.Context, object, name string) (connectors.Field, more, *connectors.Error) {
	o, err := c.object(ctx, object)
	if err != nil {
		return connectors.Field{}, more{}, err
	}
	if f, ok := o.Fields[name]; ok {
		return f, o.more[name], nil
	}
	if time.Since(o.at) > staleAfter {
		c.schemas.Forget()
		return c.field(ctx, object, name)
	}
	return connectors.Field{}, more{}, connectors.NoField(o.Object, name, codeNoField)
}

func objectOf(name string, w wireObject) object {
	o := object{
		Object: connectors.Object{Name: name, Label: w.Label, Fields: make(map[string]connectors.Field, len(w.Fields))},
		prefix: w.Prefix, more: make(map[string]more, len(w.Fields)), at: time.Now(),
	}
	for _, f := range w.Fields {
		o.Fields[f.Name] = fieldOf(f)
		o.more[f.Name] = more{
			create: f.Create, update: f.Update, filter: f.Filter, caseSensitive: f.CaseSensitive,
			restricted: f.Restricted, scale: f.Scale, refs: f.References,
		}
	}
	return o
}

// plainTypes are Salesforce's types that say all.
var plainTypes = map[string]connectors.FieldType{
	"id": connectors.Text, "string": connectors.Text, "encryptedstring": connectors.Text, "combobox": connectors.Text,
	"int": connectors.Number, "long": connectors.Number, "double": connectors.Number, "currency": connectors.Number, "percent": connectors.Number,
	"boolean": connectors.Boolean, "date": connectors.Date, "datetime": connectors.DateTime,
	"email": connectors.Email, "phone": connectors.Phone, "url": connectors.URL,
	"picklist": connectors.Select, "multipicklist": connectors.MultiSelect, "reference": connectors.Reference,
}

func fieldOf(w wireField) connectors.Field {
	f := connectors.Field{
		Name: w.Name, Label: w.Label, Native: w.Type, Type: connectors.Other,
		ReadOnly: !w.Create && !w.Update,
		Unique:   w.Unique || w.Type == "id",
		// Of a key that is not unique several records may be found.
		Upsert: w.External && w.Unique && (w.Create || w.Update),
	}
	if t, ok := plainTypes[w.Type]; ok {
		f.Type = t
	}
	switch f.Type {
	case connectors.Text, connectors.Email, connectors.Phone, connectors.URL:
		f.MaxLength = w.Length
	case connectors.Select, connectors.MultiSelect:
		f.Options = []connectors.Option{}
		for _, v := range w.Values {
			if v.Active {
				f.Options = append(f.Options, connectors.Option{Value: v.Value, Label: v.Label})
			}
		}
	case connectors.Reference:
		if len(w.References) > 0 {
			f.Target = w.References[0]
		}
	}
	switch {
	case w.Type == "textarea" && (w.HTML || w.ExtraType == "richtextarea"):
		f.Type, f.MaxLength = connectors.HTML, w.Length
	case w.Type == "textarea":
		f.Type, f.MaxLength = connectors.LongText, w.Length
	case w.Name == "CallDurationInSeconds":
		f.Type, f.Unit = connectors.Duration, "s"
	case strings.HasPrefix(w.Type, "base64"), w.Type == "address", w.Type == "location", w.Type == "complexvalue":
		f.ReadOnly = true // written through their parts
	}
	return f
}
