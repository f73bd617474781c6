package salesforce

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

const (
	// maxQuery keeps the address of a query below the 16,384 characters that
	// Salesforce takes (REST API guide, 2026-11).
	maxQuery = 15_000
	// maxPages bounds what one query may bring: 2,000 records a page.
	maxPages = 10
	// together is how many queries one composite request may hold
	// (Composite, 2026-11). It counts as one call.
	together = 5

	// The resources that answer queries.
	living      = "/query"
	withDeleted = "/queryAll" // what is in the recycle bin, too
)

var soqlEscape = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\b", `\b`, "\f", `\f`)

// quote writes text so that a query can hold it: as text, whatever it is.
func quote(s string) string {
	s = soqlEscape.Replace(strings.ToValidUTF8(s, "\uFFFD"))
	return "'" + strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1 // no field holds such characters
		}
		return r
	}, s) + "'"
}

// sized is how long text is within an address.
func sized(s string) int { return len(url.QueryEscape(s)) }

// query asks one query, page by page.
func (c *Connector) query(ctx context.Context, q string) ([]wireRow, *connectors.Error) {
	return c.queryAt(ctx, living, q)
}

func (c *Connector) queryAt(ctx context.Context, resource, q string) ([]wireRow, *connectors.Error) {
	var first wireQueried
	err := c.call(ctx, httpx.Request{Method: http.MethodGet, Path: c.path(resource), Query: url.Values{"q": {q}}, Repeatable: true}, &first)
	if err != nil {
		return nil, err
	}
	return c.rest(ctx, first)
}

// rest reads what did not fit into the first page. With codeTooMany come the
// rows that were read.
func (c *Connector) rest(ctx context.Context, page wireQueried) ([]wireRow, *connectors.Error) {
	rows := page.Records
	for range maxPages - 1 {
		if page.Done || page.Next == "" {
			break
		}
		next, err := url.Parse(page.Next)
		if err != nil || !strings.HasPrefix(next.Path, "/services/data/") {
			return nil, &connectors.Error{Kind: connectors.Transient, Code: "UNREADABLE", Message: "Salesforce's answer does not say where it goes on"}
		}
		page = wireQueried{}
		if err := c.call(ctx, httpx.Request{Method: http.MethodGet, Path: next.EscapedPath(), Repeatable: true}, &page); err != nil {
			return nil, err
		}
		rows = append(rows, page.Records...)
	}
	if !page.Done && page.Next != "" {
		return rows, &connectors.Error{Kind: connectors.Invalid, Code: codeTooMany, Message: "more records may match than can be looked through; match by a field that tells them apart"}
	}
	return rows, nil
}

// answered is what one of several queries brought.
type answered struct {
	rows []wireRow
	err  *connectors.Error
}

// queries asks many queries with few requests; the answers are in order.
func (c *Connector) queries(ctx context.Context, resource string, list []string) []answered {
	out := make([]answered, len(list))
	var groups [][]int
	for n := range list {
		if n%together == 0 {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], n)
	}
	connectors.Parallel(groups, width, func(group []int) {
		if len(group) == 1 {
			n := group[0]
			out[n].rows, out[n].err = c.queryAt(ctx, resource, list[n])
			return
		}
		c.compose(ctx, resource, list, group, out)
	})
	return out
}

// compose asks several queries with one request.
func (c *Connector) compose(ctx context.Context, resource string, list []string, group []int, out []answered) {
	var body wireComposite
	for _, n := range group {
		body.Parts = append(body.Parts, wirePart{http.MethodGet, c.path(resource+"?q=") + url.QueryEscape(list[n]), fmt.Sprintf("q%d", n)})
	}
	var answer wireComposed
	err := c.call(ctx, httpx.Request{Method: http.MethodPost, Path: c.path("/composite"), Body: body, Repeatable: true}, &answer)
	if err == nil && len(answer.Parts) != len(group) {
		err = &connectors.Error{Kind: connectors.Transient, Code: "UNANSWERED", Message: "Salesforce's answer leaves a query out"}
	}
	for i, n := range group {
		if err != nil {
			out[n].err = err
			continue
		}
		part := answer.Parts[i] // in the order of the request
		if part.Status >= 300 {
			out[n].err = classifyBody(part.Status, part.Body, 0, true)
			continue
		}
		var page wireQueried
		if out[n].err = decode(part.Body, &page, true); out[n].err == nil {
			out[n].rows, out[n].err = c.rest(ctx, page)
		}
	}
}

// literal writes an encoded value as a query wants it for the field's type.
func literal(f connectors.Field, cell any) string {
	switch cell := cell.(type) {
	case bool:
		return strings.ToUpper(fmt.Sprint(cell))
	case json.Number:
		return cell.String()
	case string:
		if f.Type == connectors.Date || f.Type == connectors.DateTime || f.Native == "time" {
			return cell
		}
		return quote(cell)
	}
	return "NULL"
}

func soqlTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
