package respondio

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/httpx"
	"github.com/crmsyncd/crmsyncd/sources"
)

const (
	// DefaultBaseURL is respond.io's developer API (docs of November 2026).
	DefaultBaseURL = "https://api.respond.io/v2"
	// perSecond is how many requests respond.io is sent in a second. Its number
	// is not published; that of the API before was 100 in a minute.
	perSecond = 2
	// pageContacts is the most that a list gives at once.
	pageContacts = 100
	// credentials are the settings that reading needs.
	credentials = "api_token"
	// minutes is how filters write times.
	minutes = "2006-01-02 15:04"
)

var _ sources.StatusReader = (*Source)(nil)

// newClient returns how respond.io's API is asked; nil without a token.
func newClient(cfg Config) (*httpx.Client, error) {
	token := strings.TrimSpace(cfg.APIToken.Reveal())
	if token == "" {
		return nil, nil
	}
	return httpx.Reading{
		BaseURL: cfg.BaseURL, DefaultBaseURL: DefaultBaseURL, PerSecond: cfg.RequestsPerSecond, DefaultPerSecond: perSecond,
		Header: http.Header{"Authorization": {"Bearer " + token}},
	}.Client()
}

// Readable implements sources.Reader.
func (s *Source) Readable() error {
	if s.client == nil {
		return errors.New("api_token is not set")
	}
	return nil
}

func (s *Source) ask(ctx context.Context, turn sources.Turn, what string, q httpx.Request) (sources.Value, error) {
	what, q.Repeatable = "respond.io: "+what, true
	if err := s.Readable(); err != nil {
		return sources.Value{}, &sources.ReadError{What: what + ": " + err.Error()}
	}
	if err := turn.Ask(ctx); err != nil {
		return sources.Value{}, err
	}
	answer, err := s.client.Do(ctx, q)
	if err != nil {
		return sources.Value{}, sources.NoAnswer(ctx, what, err)
	}
	return sources.ReadAnswer(what, answer.Status, answer.Body, answer.RetryAfter(), credentials)
}

// listOf is the body that lists contacts made in a range. All three keys are
// needed; the filter knows minutes, so that its ends are rounded outwards.
func listOf(q sources.Query) map[string]any {
	return map[string]any{"search": "", "timezone": "UTC", "filter": map[string]any{"$and": []any{map[string]any{
		"category": "contactField", "field": "createdAt", "operator": "isTimestampBetween",
		"value": map[string]string{"from": q.From.UTC().Format(minutes), "to": q.Until.UTC().Add(time.Minute).Format(minutes)},
	}}}}
}

// History implements sources.Reader: contacts by when they were made, as
// contact.created tells them. respond.io has no list by when something changed,
// nor of closed conversations, messages of all contacts or calls.
func (s *Source) History(ctx context.Context, q sources.Query) (sources.Page, error) {
	query := url.Values{"limit": {strconv.Itoa(pageContacts)}}
	if q.Cursor != "" {
		query.Set("cursorId", q.Cursor)
	}
	list, err := s.ask(ctx, q.Turn, "list contacts", httpx.Request{Method: http.MethodPost, Path: "/contact/list", Query: query, Body: listOf(q)})
	if err != nil {
		return sources.Page{}, err
	}
	page := sources.Page{}
	// What comes next is a whole address, of which only the cursor is of use.
	if next, err := url.Parse(list.Get("pagination").Get("next").Text()); err == nil {
		page.Next = next.Query().Get("cursorId")
	}
	for contact := range list.Get("items").Items() {
		if !q.Holds(sources.ReadMoment(contact, "created_at").Time) {
			continue
		}
		item, err := item(readEvent{Event: "contact.created", Contact: contact.JSON()})
		if err != nil {
			return sources.Page{}, err
		}
		page.Items = append(page.Items, item)
	}
	return page, nil
}

// readEvent is a payload in the shape of respond.io's webhooks.
type readEvent struct {
	Event   string          `json:"event_type"`
	Contact json.RawMessage `json:"contact"`
	At      time.Time       `json:"read_at,omitzero"`
}

func item(e readEvent) (sources.Item, error) {
	body, err := json.Marshal(e)
	return sources.Item{ContentType: sources.ReadType(Vendor), Body: body}, err
}

// Statuses implements sources.StatusReader: the states of the contacts'
// conversations. Each contact costs a request.
func (s *Source) Statuses(ctx context.Context, ids []string, turn sources.Turn) ([]sources.Status, error) {
	var out []sources.Status
	for _, id := range ids {
		one := sources.Status{ID: id, At: time.Now().UTC().Truncate(time.Second)}
		v, err := s.ask(ctx, turn, "get a contact", httpx.Request{Method: http.MethodGet, Path: "/contact/id:" + url.PathEscape(id)})
		switch {
		case errors.Is(err, sources.ErrGone):
			one.Gone = true
		case err != nil:
			return out, err
		default:
			one.Status = contactStatus(v.Get("status").Word())
			if one.Item, err = item(readEvent{"contact.updated", v.JSON(), one.At}); err != nil {
				return out, err
			}
		}
		out = append(out, one)
	}
	return out, nil
}
