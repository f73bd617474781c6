package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/salesforce"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
	"github.com/crmsyncd/crmsyncd/internal/live"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// What --requests takes to be in the CRM.
const (
	assumeNew   = "new"
	assumeFound = "found"
)

// rehearsalTime bounds what is tried with a stand-in.
const rehearsalTime = 30 * time.Second

// rehearsed is what came of an event for one connector.
type rehearsed struct {
	Connector string         `json:"connector"`
	Assumed   string         `json:"assumed,omitempty"` // new or found
	Requests  []sentRequest  `json:"requests,omitempty"`
	Problem   string         `json:"problem,omitempty"` // why it would not be done
	Records   []store.Record `json:"records,omitempty"`
}

// requests delivers an event to stand-ins of the CRMs that it goes to, and
// returns what was sent. Nothing leaves this machine.
func requests(ctx context.Context, setup *app.Setup, ev *event.Event, assumed string) []rehearsed {
	var out []rehearsed
	ctx, done := context.WithTimeout(ctx, rehearsalTime)
	defer done()
	for _, name := range setup.Connects(ev) {
		r := rehearsed{Connector: name, Assumed: assumed}
		i := slices.IndexFunc(setup.Settings.Connectors, func(b config.Block) bool { return b.Name == name })
		if i < 0 {
			continue
		}
		var err error
		if r.Requests, r.Problem, err = sent(ctx, setup, setup.Settings.Connectors[i], ev, assumed); err != nil {
			r.Problem = err.Error()
		}
		out = append(out, r)
	}
	return out
}

func sent(ctx context.Context, setup *app.Setup, b config.Block, ev *event.Event, assumed string) ([]sentRequest, string, error) {
	base := ""
	if n := b.Node.Get("base_url"); n != nil {
		base = n.Value
	}
	s := newStandIn(b.Name, b.Type, base)
	vault := &pocket{}
	open := func() (connectors.Connector, error) {
		return setup.Open(b.Name, func(o *connectors.Options) { o.Transport, o.Vault = s, vault })
	}
	conn, err := open()
	if err != nil {
		return nil, "", err
	}
	if err := s.grant(ctx, conn); err != nil {
		return nil, "", err
	}
	s.furnish(ctx, setup, b, open)
	if conn, err = open(); err != nil { // with nothing remembered of before
		return nil, "", err
	}
	plan, err := setup.Rules.Plan(ev, b.Name)
	if err != nil {
		return nil, "", err
	}
	var objects []string
	for _, rec := range plan.Records {
		objects = append(objects, rec.Object)
	}
	schema, err := conn.Describe(ctx, objects) // which the daemon does every few minutes only
	if err != nil {
		return nil, "", err
	}
	for _, o := range objects {
		if _, ok := schema[o]; !ok {
			return nil, fmt.Sprintf("it has no object %q, as objects of your own account cannot be made in it; --diff asks the CRM itself", o), nil
		}
	}
	rehearse := func(ev *event.Event) store.Delivery {
		return deliver.Rehearse(ctx, setup.Rehearsal(b.Name, conn, false), b.Name, ev)
	}
	if assumed == assumeFound {
		before := *ev
		before.Only = nil // what mends does not make what is to be found
		rehearse(&before)
	}
	s.record(true)
	d := rehearse(ev)
	s.record(false)
	problem := ""
	if d.State != store.Done {
		problem = d.Reason
	}
	return s.sent, problem, nil
}

// furnish makes in the stand-in the tables and fields that the mapping writes,
// as far as it can: of the types that check --live saw, else as provision would.
func (s *standIn) furnish(ctx context.Context, setup *app.Setup, b config.Block, open func() (connectors.Connector, error)) {
	known := live.Known(setup.Settings.DataDir)[b.Name]
	for range 2 { // tables first
		conn, err := open()
		if err != nil {
			return
		}
		tables := false
		missing, _ := live.Find(ctx, setup.Rules.Writes(), []live.Account{{Name: b.Name, Connector: conn, At: b.Node}})
		for _, m := range missing {
			if m.Field.Name == "" {
				tables = s.table(ctx, b, m.Object) || tables
				continue
			}
			proposed := m.Field
			if o, ok := known[m.Object]; ok {
				if f, ok := o.Field(m.Field.Name); ok && !f.ReadOnly {
					m.Field, m.Manual = f, ""
				}
			}
			made := s.make(ctx, m)
			if m.Field = proposed; !made {
				s.make(ctx, m) // what is still missing shows in what is refused
			}
		}
		if !tables {
			return
		}
	}
}

// make makes a field, and has Salesforce show it, as a person would.
func (s *standIn) make(ctx context.Context, m live.Missing) bool {
	err := m.Create(ctx)
	if err == nil || s.vendor != "salesforce" {
		return err == nil
	}
	return s.post(ctx, "/services/data/v"+salesforce.Version+"/sobjects/FieldPermissions", map[string]any{
		"ParentId": "0PS000000000001", "SobjectType": m.Object, "Field": m.Object + "." + m.Field.Name, "PermissionsRead": true, "PermissionsEdit": true,
	})
}

// table makes a table of an Airtable base.
func (s *standIn) table(ctx context.Context, b config.Block, name string) bool {
	base := b.Node.Get("base")
	if s.vendor != "airtable" || base == nil {
		return false
	}
	return s.post(ctx, "/v0/meta/bases/"+url.PathEscape(base.Value)+"/tables", map[string]any{
		"name": name, "fields": []any{map[string]any{"name": "Name", "type": "singleLineText"}},
	})
}

// post does in the stand-in what no connector does.
func (s *standIn) post(ctx context.Context, path string, v any) bool {
	body, err := json.Marshal(v)
	if err != nil {
		return false
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://vendor.invalid"+s.base+path, bytes.NewReader(body))
	if err != nil {
		return false
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer stand-in")
	resp, err := s.RoundTrip(r)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode < 300
}

// hide takes out of requests what may be personal: every value of a body and
// of a query, and parts of a path that look like one.
func hide(list []rehearsed) {
	for _, r := range list {
		for i := range r.Requests {
			q := &r.Requests[i]
			q.Body = hidden(q.Body)
			address, query, asked := strings.Cut(q.URL, "?")
			segments := strings.Split(address, "/")
			for j, part := range segments {
				if plain, err := url.PathUnescape(part); j > 2 && (err != nil || strings.ContainsAny(plain, "@+ ") || len(strings.Trim(plain, "0123456789")) == 0 && len(plain) > 6) {
					segments[j] = mapping.Masked
				}
			}
			if q.URL = strings.Join(segments, "/"); !asked {
				continue
			}
			var parts []string
			for part := range strings.SplitSeq(query, "&") {
				name, _, _ := strings.Cut(part, "=")
				parts = append(parts, name+"="+mapping.Masked)
			}
			q.URL += "?" + strings.Join(parts, "&")
		}
	}
}

func hidden(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, x := range v {
			out[name] = hidden(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = hidden(x)
		}
		return out
	case nil, bool:
		return v
	}
	return mapping.Masked
}

func printRequests(w io.Writer, list []rehearsed) error {
	for _, r := range list {
		there := "none of the records is there yet"
		if r.Assumed == assumeFound {
			there = "all of the records are there"
		}
		fmt.Fprintf(w, "\n%s to %s, where %s:\n", plural(len(r.Requests), "request"), r.Connector, there)
		for _, q := range r.Requests {
			fmt.Fprintf(w, "\n  %s %s\n", q.Method, q.URL)
			if q.Body == nil {
				continue
			}
			text, err := indented(q.Body)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "    %s\n", text)
		}
		if r.Problem != "" {
			fmt.Fprintf(w, "\n  REFUSED by the stand-in: %s\n", visible(r.Problem))
		}
	}
	if len(list) > 0 {
		fmt.Fprintln(w, "\nA stand-in of the CRM in this process answered, and made up the ids. Nothing was sent; headers with tokens are not shown.")
	}
	return nil
}

func indented(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("    ", "  ")
	err := enc.Encode(v)
	return strings.TrimSpace(string(escaped(b.Bytes()))), err
}
