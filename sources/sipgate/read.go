package sipgate

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
	"github.com/crmsyncd/crmsyncd/sources"
)

const (
	// perSecond is how many requests sipgate is sent in a second. Its limit is
	// not published.
	perSecond = 3
	// pageCalls is how many calls are asked for at once; where sipgate gives
	// fewer, the next page begins after those.
	pageCalls = 100
	// credentials are the settings that reading needs.
	credentials = "api_token_id and api_token"
)

var _ sources.Reader = (*Source)(nil)

// newClient returns how sipgate's REST API is asked; nil without credentials.
func newClient(cfg Config) (*httpx.Client, error) {
	id, token := strings.TrimSpace(cfg.APITokenID), strings.TrimSpace(cfg.APIToken.Reveal())
	switch {
	case id == "" && token == "":
		return nil, nil
	case id == "":
		return nil, errors.New("api_token: wants api_token_id beside it, such as token-ABCDEF")
	case token == "":
		return nil, errors.New("api_token_id: wants api_token beside it")
	case strings.Contains(id, ":"):
		return nil, errors.New("api_token_id: holds a colon; the part behind it belongs into api_token")
	}
	basic := &http.Request{Header: http.Header{}}
	basic.SetBasicAuth(id, token)
	return httpx.Reading{
		BaseURL: cfg.BaseURL, DefaultBaseURL: DefaultBaseURL, PerSecond: cfg.RequestsPerSecond, DefaultPerSecond: perSecond,
		Header: basic.Header,
	}.Client()
}

// Readable implements sources.Reader.
func (s *Source) Readable() error {
	if s.client == nil {
		return errors.New("api_token_id and api_token are not set")
	}
	return nil
}

// History implements sources.Reader: calls of the account's history, as ends of
// calls. What was said in them is not there. Whether their ids are those of
// webhooks is not documented, so that they are also found by number and time;
// see sources.Alike.
func (s *Source) History(ctx context.Context, q sources.Query) (sources.Page, error) {
	const what = "sipgate: list the history"
	if err := s.Readable(); err != nil {
		return sources.Page{}, &sources.ReadError{What: what + ": " + err.Error()}
	}
	offset, err := q.Offset()
	if err != nil {
		return sources.Page{}, err
	}
	if err := q.Turn.Ask(ctx); err != nil {
		return sources.Page{}, err
	}
	query := url.Values{
		"types": {"CALL"}, "limit": {strconv.Itoa(pageCalls)}, "offset": {strconv.Itoa(offset)},
		"from": {q.From.UTC().Format(time.RFC3339)}, "to": {q.Until.UTC().Format(time.RFC3339)},
	}
	answer, err := s.client.Do(ctx, httpx.Request{Method: http.MethodGet, Path: "/v2/history", Query: query, Repeatable: true})
	if err != nil {
		return sources.Page{}, sources.NoAnswer(ctx, what, err)
	}
	list, err := sources.ReadAnswer(what, answer.Status, answer.Body, answer.RetryAfter(), credentials)
	if err != nil {
		return sources.Page{}, err
	}
	page, given := sources.Page{}, 0
	for record := range list.Get("items").Items() {
		given++
		if kind := record.Get("type").Word(); kind != "" && kind != "call" || !q.Holds(sources.ReadMoment(record, "created").Time) {
			continue
		}
		item, err := sources.Told{Record: record.JSON()}.Item(Vendor)
		if err != nil {
			return page, err
		}
		page.Items = append(page.Items, item)
	}
	total := list.Get("totalCount").Int()
	if total > 0 {
		page.Part = min(1, float64(offset+given)/float64(total))
	}
	if given > 0 && (offset+given < total || total == 0 && given >= pageCalls) {
		page.Next = strconv.Itoa(offset + given)
	}
	return page, nil
}

// callStatuses are the history's words for how a call went: callStatus, and
// status, which is all that older entries have.
var callStatuses = map[string]string{
	"success":              event.Completed,
	"failure":              event.Failed,
	"rejected":             event.Busy,
	"rejected_dnd":         event.Busy,
	"busy":                 event.Busy,
	"busy_on_busy":         event.Busy,
	"voicemail_no_message": event.Voicemail,
	"missed":               event.NotReached,
	"pickup":               event.Completed,
	"nopickup":             event.NotReached,
}

// told reads an entry of the history.
func (s *Source) told(doc sources.Value, now time.Time, p *sources.Parsed) {
	record, call := doc.Get("record"), doc.Get("call").Text()
	id, start := record.Get("id").Text(), sources.ReadMoment(record, "created")
	switch {
	case id == "":
		p.Problem = "an entry of the history without an id"
	case start.Name == "":
		p.Problem = "an entry of the history without its time"
	default:
		p.Problem = start.Problem(now)
	}
	if p.Problem != "" {
		return
	}
	word := record.Get("direction").Word()
	direct, missed := strings.CutPrefix(word, "missed_")
	c := &event.Call{
		ID:        call,
		Direction: direction(direct),
		From:      number(record.Get("source").Text(), s.country),
		To:        number(record.Get("target").Text(), s.country),
		StartedAt: start.Time,
	}
	if c.ID == "" {
		if c.ID = record.Get("callId").Text(); c.ID == "" {
			c.ID = "history-" + id
		}
	}
	setLength(c, record.Get("duration"), time.Second)
	if c.EndedAt.IsZero() {
		c.EndedAt = c.StartedAt
	}
	if t, ok := doc.Get("ended_at").Time(); ok {
		c.EndedAt = t
	}
	c.Status, c.Reason = "unknown", first(record.Get("callStatus"), record.Get("status"))
	for _, w := range []string{record.Get("callStatus").Word(), record.Get("status").Word()} {
		if status, ok := callStatuses[w]; ok {
			c.Status = status
			break
		}
	}
	if c.Status == "unknown" && missed {
		c.Status = event.NotReached
	}
	for recording := range record.Get("recordings").Items() {
		if address := recording.Get("url").Text(); strings.HasPrefix(address, "https://") && c.RecordingURL == "" {
			c.RecordingURL = address
		}
	}
	p.Event.Type, p.Event.Call, p.Event.Contact, p.Event.OccurredAt = event.CallEnded, c, external(c), c.EndedAt
	p.Calls = []string{c.ID}
	talked := time.Duration(0)
	if c.Duration != nil {
		talked = time.Duration(float64(*c.Duration) * float64(time.Second))
	}
	p.Alike = sources.AlikeRead(p.Event, talked, c.StartedAt)
	if call == "" {
		p.ContentKey = "sipgate:history:" + short(id)
		return
	}
	p.ContentKey = "sipgate:push:" + short(c.ID) + ":hangup"
}
