package voipgrid

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
	// DefaultBaseURL is VoIPGRID's API (by its apps, read 2026-11).
	DefaultBaseURL = "https://partner.voipgrid.nl"
	// DefaultTimezone is that of the times in the list of calls. The vendor
	// does not document it; its exchanges stand in the Netherlands.
	DefaultTimezone = "Europe/Amsterdam"
	// perSecond is how many requests VoIPGRID is sent in a second. Its limit is
	// not published.
	perSecond = 2
	// pageCalls is how many calls are asked for at once; where VoIPGRID gives
	// fewer, the next page begins after those.
	pageCalls = 100
	// credentials are the settings that reading needs.
	credentials = "api_user and api_token"
	// localTime is how times are written, without a zone.
	localTime = "2006-01-02T15:04:05"
)

var _ sources.Reader = (*Source)(nil)

// newClient returns how VoIPGRID's API is asked; nil without credentials.
func newClient(cfg Config) (*httpx.Client, error) {
	user, token := strings.TrimSpace(cfg.APIUser), strings.TrimSpace(cfg.APIToken.Reveal())
	switch {
	case user == "" && token == "":
		return nil, nil
	case user == "":
		return nil, errors.New("api_token: wants api_user beside it, the e-mail address of the user whose token it is")
	case token == "":
		return nil, errors.New("api_user: wants api_token beside it")
	case strings.ContainsAny(user+token, ": \r\n"):
		return nil, errors.New("api_user: neither it nor api_token may hold a colon or a blank")
	}
	return httpx.Reading{
		BaseURL: cfg.BaseURL, DefaultBaseURL: DefaultBaseURL, PerSecond: cfg.RequestsPerSecond, DefaultPerSecond: perSecond,
		Header: http.Header{"Authorization": {"Token " + user + ":" + token}},
	}.Client()
}

// Readable implements sources.Reader.
func (s *Source) Readable() error {
	if s.client == nil {
		return errors.New("api_user and api_token are not set")
	}
	return nil
}

// History implements sources.Reader: the records of calls, as ends of calls.
// They have ids of their own, so that notifications of the same call are found
// by number and time; see sources.Alike.
func (s *Source) History(ctx context.Context, q sources.Query) (sources.Page, error) {
	const what = "voipgrid: list calls"
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
	// An hour more at both ends: their clock shows some hours twice a year.
	query := url.Values{
		"limit": {strconv.Itoa(pageCalls)}, "offset": {strconv.Itoa(offset)},
		"call_date__gt": {q.From.Add(-time.Hour).In(s.zone).Format(localTime)},
		"call_date__lt": {q.Until.Add(time.Hour).In(s.zone).Format(localTime)},
	}
	answer, err := s.client.Do(ctx, httpx.Request{Method: http.MethodGet, Path: "/api/cdr/record/", Query: query, Repeatable: true})
	if err != nil {
		return sources.Page{}, sources.NoAnswer(ctx, what, err)
	}
	list, err := sources.ReadAnswer(what, answer.Status, answer.Body, answer.RetryAfter(), credentials)
	if err != nil {
		return sources.Page{}, err
	}
	return s.page(list, q, offset)
}

func (s *Source) page(list sources.Value, q sources.Query, offset int) (page sources.Page, err error) {
	given := 0
	for record := range list.Get("objects").Items() {
		given++
		if starts := s.starts(record); len(starts) == 0 || !q.Holds(starts[0]) {
			continue
		}
		item, err := sources.Told{Record: record.JSON()}.Item(Vendor)
		if err != nil {
			return page, err
		}
		page.Items = append(page.Items, item)
	}
	meta := list.Get("meta")
	if total := meta.Get("total_count").Int(); total > 0 {
		page.Part = min(1, float64(offset+given)/float64(total))
	}
	if given > 0 && (meta.Get("next").Known() || meta.Get("total_count").Int() > offset+given) {
		page.Next = strconv.Itoa(offset + given)
	}
	return page, nil
}

// starts are the times that call_date may stand for: two in the hour that the
// clocks show twice, else one; none where it is no time.
func (s *Source) starts(record sources.Value) []time.Time {
	text := record.Get("call_date").Text()
	for _, layout := range []string{localTime, "2006-01-02T15:04:05.999999", "2006-01-02 15:04:05"} {
		t, err := sources.InZone(layout, text, s.zone)
		if err != nil {
			continue
		}
		out := []time.Time{t.UTC()}
		for _, other := range []time.Time{t.Add(-time.Hour), t.Add(time.Hour)} {
			if other.Format(layout) == t.Format(layout) {
				out = append(out, other.UTC())
			}
		}
		return out
	}
	if t, ok := sources.ParseTime(text); ok { // with a zone of its own
		return []time.Time{t}
	}
	return nil
}

// told reads a record of the list of calls.
func (s *Source) told(doc sources.Value, now time.Time, p *sources.Parsed) {
	record := doc.Get("record")
	id, call := record.Get("id").Text(), doc.Get("call").Text()
	starts := s.starts(record)
	talked := time.Duration(record.Get("atime").Int()) * time.Second
	switch {
	case id == "":
		p.Problem = "a record of the list of calls without an id"
	case len(starts) == 0:
		p.Problem = "a record of the list of calls without its time"
	default:
		p.Problem = sources.Moment{Name: "call_date", Time: starts[0]}.Problem(now)
	}
	if p.Problem != "" {
		return
	}
	c := &event.Call{ID: call, StartedAt: starts[0], EndedAt: starts[0].Add(talked)}
	if c.ID == "" {
		c.ID = "cdr-" + id
	}
	if t, ok := doc.Get("ended_at").Time(); ok {
		c.EndedAt = t
	}
	length := event.Seconds(talked.Seconds())
	c.Duration = &length
	n := &notification{call: c, caller: participant{number: first(record.Get("src_number"), record.Get("callerid"))}}
	if caller := first(record.Get("callerid"), record.Get("src_number")); n.caller.internal() && record.Get("direction").Word() == "inbound" {
		n.caller.number = caller
	}
	dialled := participant{number: record.Get("dialed_number").Text()}
	c.Direction = n.direction(record.Get("direction").Word(), dialled)
	c.From, c.To = n.address(n.caller, s.country), n.address(dialled, s.country)
	switch c.Direction {
	case "inbound":
		if !n.caller.internal() {
			p.Event.Contact = n.caller.contact(s.country)
		}
	case "outbound":
		if !dialled.internal() {
			p.Event.Contact = dialled.contact(s.country)
		}
		if n.caller.internal() {
			c.Agent = n.caller.agent()
		}
	}
	// Why nobody talked is not in the record.
	c.Status, c.Reason = event.NotReached, ""
	if talked > 0 {
		c.Status, c.Reason = event.Completed, "completed"
	}
	p.Event.Type, p.Event.Call, p.Event.OccurredAt = event.CallEnded, c, c.EndedAt
	p.Calls = []string{c.ID}
	p.Alike = sources.AlikeRead(p.Event, talked, starts...)
	if call == "" {
		p.ContentKey = "voipgrid:cdr:" + id
		return
	}
	n.reason = c.Reason
	p.ContentKey = "voipgrid:" + c.ID + ":ended:" + n.digest(event.CallEnded)
}

func first(values ...sources.Value) string {
	for _, v := range values {
		if s := v.Text(); s != "" {
			return s
		}
	}
	return ""
}
