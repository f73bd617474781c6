package hubspot

import (
	"context"
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

func isContacts(object string) bool {
	return slices.Contains([]string{"contacts", "contact", "0-1"}, object)
}

// isLeads tells the object that cannot be made without a contact.
func isLeads(object string) bool { return slices.Contains([]string{"leads", "lead", "0-136"}, object) }

// asPath are the names that paths take as they are: those of HubSpot's own
// objects, type ids, and full names of custom objects (objects guide, 2026-11).
var asPath = regexp.MustCompile(`^(contacts?|compan(y|ies)|deals?|leads?|tickets?|calls?|notes?|tasks?|meetings?|emails?|communications?|products?|line_items?|quotes?|[0-9]+-[0-9]+|p[0-9]+_.*)$`)

// path is the name of an object in paths. Of a custom object that a rule calls
// by its short name or its label it is the type id, known once the object was
// read.
func (c *Connector) path(object string) string {
	if id, ok := c.types.Load(object); ok {
		return id.(string)
	}
	return object
}

func (c *Connector) objectPath(object, rest string) string { return objectPath(c.path(object), rest) }

func objectPath(object, rest string) string {
	return "/crm/objects/" + Version + "/" + url.PathEscape(object) + rest
}

func (c *Connector) linkPath(from, to, rest string) string {
	return "/crm/associations/" + Version + "/" + url.PathEscape(c.path(from)) + "/" + url.PathEscape(c.path(to)) + rest
}

func (c *Connector) object(ctx context.Context, name string) (connectors.Object, *connectors.Error) {
	r, err := c.readObject(ctx, name)
	return r.object, err
}

func (c *Connector) readObject(ctx context.Context, name string) (read, *connectors.Error) {
	r, err := c.schemas.Get(ctx, name, func(ctx context.Context) (read, error) {
		properties, err := c.readProperties(ctx, name)
		if err != nil && err.Code == codeNoObject && !asPath.MatchString(name) {
			var id string
			if id, err = c.customType(ctx, name); err == nil {
				c.types.Store(name, id)
				properties, err = c.readProperties(ctx, name)
			}
		}
		if err != nil {
			return read{}, err
		}
		o := connectors.Object{Name: name, Label: name, Fields: make(map[string]connectors.Field, len(properties))}
		for _, p := range properties {
			f := fieldOf(p)
			f.Upsert = f.Upsert && !isLeads(name) // an upsert cannot say whose lead it is
			o.Fields[p.Name] = f
		}
		return read{o, time.Now()}, nil
	})
	return r, connectors.AsError(err)
}

func (c *Connector) readProperties(ctx context.Context, name string) ([]wireProperty, *connectors.Error) {
	var answer struct {
		Results []wireProperty `json:"results"`
	}
	q := httpx.Request{Method: http.MethodGet, Path: "/crm/properties/" + Version + "/" + url.PathEscape(c.path(name)), Repeatable: true}
	err := c.call(ctx, q, &answer)
	if err != nil && (err.Kind == connectors.Invalid || err.Kind == connectors.NotFound) {
		err = noObject(name)
	}
	return answer.Results, err
}

func noObject(name string) *connectors.Error {
	return &connectors.Error{Kind: connectors.Invalid, Code: codeNoObject, Message: "HubSpot has no object " + strconv.Quote(name)}
}

// customType finds the type id of a custom object by its short name or label.
func (c *Connector) customType(ctx context.Context, name string) (string, *connectors.Error) {
	var answer struct {
		Results []wireSchema `json:"results"`
	}
	q := httpx.Request{Method: http.MethodGet, Path: "/crm-object-schemas/" + Version + "/schemas", Repeatable: true}
	if err := c.call(ctx, q, &answer); err != nil {
		if err.Kind == connectors.Auth || err.Kind == connectors.Invalid {
			// That scope is needed for nothing else, so it must not park the account.
			err = noObject(name)
			err.Message += "; if it is a custom object, write its type id (2-…), or give the token the scope crm.schemas.custom.read"
		}
		return "", err
	}
	var known []string
	for _, s := range answer.Results {
		names := []string{s.Name, s.Labels.Singular, s.Labels.Plural}
		if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
			return s.ID, nil
		}
		known = append(known, names...)
	}
	err := noObject(name)
	if near := connectors.Nearest(name, known); near != "" {
		err.Message += " (did you mean " + strconv.Quote(near) + "?)"
	}
	return "", err
}

// reachable makes sure that an object's name in paths is known.
func (c *Connector) reachable(ctx context.Context, object string) *connectors.Error {
	if asPath.MatchString(object) {
		return nil
	}
	_, err := c.object(ctx, object)
	return err
}
