// Package voipgrid receives the call notifications, version 2, of VoIPGRID's
// telephone exchanges, which Voys and others sell: a call is told by up to
// eight of them, from created to ended. Each is read for itself; putting
// together those of one call is the ledger's business. It reads VoIPGRID's list
// of calls for what notifications did not tell, and writes nothing there.
package voipgrid

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
	"github.com/crmsyncd/crmsyncd/sources"
)

// Vendor is the type of these sources in config.yaml.
const Vendor = "voipgrid"

// DefaultCloseAfter is how long a call without an end is waited for. Calls of
// over four hours are rare, and one that was closed still ends when its end comes.
const DefaultCloseAfter = 4 * time.Hour

// Config is a source of type voipgrid in config.yaml.
type Config struct {
	CloseAfter        *time.Duration  `yaml:"close_after" doc:"after how long without news a call is closed whose end was never told, 0 for never; default 4h"`
	APIUser           string          `yaml:"api_user" doc:"e-mail address of the user whose api_token it is"`
	APIToken          config.Secret   `yaml:"api_token" doc:"token of VoIPGRID's API, for asking VoIPGRID what notifications did not say"`
	BaseURL           string          `yaml:"base_url" doc:"address of VoIPGRID's API; default https://partner.voipgrid.nl"`
	RequestsPerSecond float64         `yaml:"requests_per_second" doc:"requests to VoIPGRID's API in a second at most; default 2"`
	Timezone          config.Timezone `yaml:"timezone" doc:"time zone of the times in VoIPGRID's list of calls; default Europe/Amsterdam"`
	Country           string          `yaml:"country" doc:"country of numbers without country code, such as DE; default: defaults.country"`
}

// Source is the notifications of one client of VoIPGRID.
type Source struct {
	name       string
	country    string
	closeAfter time.Duration
	zone       *time.Location // of the list of calls
	client     *httpx.Client  // nil where the settings hold no credentials
}

var (
	_ sources.Source   = (*Source)(nil)
	_ sources.Unsigned = (*Source)(nil)
	_ sources.Getter   = (*Source)(nil)
	_ sources.Closer   = (*Source)(nil)
)

// New makes the source of that name. country completes numbers without country
// code unless the Config names one. The error says which setting is unfit.
func New(name string, cfg Config, country string) (*Source, error) {
	s := &Source{name: name, country: strings.ToUpper(country), closeAfter: DefaultCloseAfter}
	if d := cfg.CloseAfter; d != nil {
		if *d != 0 && *d < time.Second {
			return nil, errors.New("close_after: wants at least 1s, or 0 for never")
		}
		s.closeAfter = *d
	}
	if cfg.BaseURL != "" {
		if u, err := url.Parse(cfg.BaseURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return nil, errors.New("base_url: not an http or https address")
		}
	}
	if cfg.Country != "" {
		s.country = strings.ToUpper(cfg.Country)
	}
	zone := DefaultTimezone
	if cfg.Timezone != "" {
		zone = string(cfg.Timezone)
	}
	var err error
	if s.zone, err = time.LoadLocation(zone); err != nil {
		return nil, errors.New("timezone: no such time zone")
	}
	s.client, err = newClient(cfg)
	return s, err
}

// Authenticate takes everything: VoIPGRID signs nothing.
func (*Source) Authenticate(*sources.Request) error { return nil }

// Unsigned says so. The addresses that notifications come from are not
// published (help.voys.co.za, read 2026-11), so there are none to fall back to.
func (*Source) Unsigned() (bool, []netip.Prefix) { return true, nil }

// Get answers the webhook of a dial plan, which is another thing of VoIPGRID's
// and asks by GET where to route a call: go on as planned.
func (*Source) Get() (contentType string, body []byte) {
	return "text/plain; charset=utf-8", []byte("status=ACK")
}

// CloseAfter is the setting close_after.
func (s *Source) CloseAfter() time.Duration { return s.closeAfter }

// moments are the statuses of notifications, and what they are here.
var moments = map[string]struct {
	event  event.Type
	status string // of the call; ended has its reason's
}{
	"created":       {event.CallCreated, event.Created},
	"ringing":       {event.CallRinging, event.Ringing},
	"in-progress":   {event.CallAnswered, event.InProgress},
	"transfer":      {event.CallTransferred, event.Transferred},
	"warm-transfer": {event.CallTransferred, event.Transferred},
	"cold-transfer": {event.CallTransferred, event.Transferred},
	"ended":         {event.CallEnded, ""},
}

// reasons say how a call ended.
var reasons = map[string]string{
	"completed": event.Completed,
	"no-answer": event.NotReached,
	"cancelled": event.Cancelled,
	"canceled":  event.Cancelled,
	"abandon":   event.Abandoned,
	"abandoned": event.Abandoned,
	"busy":      event.Busy,
	"failed":    event.Failed,
}

// Parse reads the notifications of version 2. Statuses and versions that are
// not known are kept as unknown, with the call that they name.
func (s *Source) Parse(r *sources.Request) sources.Parsed {
	p := sources.Parsed{Event: &event.Event{Type: event.Unknown, Source: s.name, Vendor: Vendor}}
	doc, err := sources.ReadJSON(r.Body)
	switch {
	case err != nil:
		p.Problem = err.Error()
		return p
	case !doc.IsObject():
		p.Problem = "the payload is no JSON object"
		return p
	}
	if sources.IsRead(r, Vendor) {
		s.told(doc, r.At, &p)
		return p
	}
	n := read(doc, s.country)
	p.Event.Call, p.Event.Contact = n.call, n.contact
	moment, ok := moments[n.status]
	if !ok || !n.version2 {
		return p
	}
	p.Event.Type = moment.event
	if n.call == nil || n.call.ID == "" {
		p.Problem = "a notification without the id of its call"
		return p
	}
	if p.Problem = n.at.Problem(r.At); p.Problem != "" {
		return p
	}
	p.Event.OccurredAt = n.at.Time
	n.tell(moment.event, moment.status, r.At)
	p.Calls = []string{n.call.ID}
	if id := n.call.MergedID; id != "" {
		p.Calls = append(p.Calls, id)
	}
	p.Alike = sources.AlikeTold(p.Event, r.At)
	p.ContentKey = "voipgrid:" + n.call.ID + ":" + n.status + ":" + n.digest(moment.event)
	return p
}

// digest tells notifications of the same status of one call apart. A call is
// created once, and ends once for each reason; another endpoint may be told so
// with a time of its own. Phones ring, answer and transfer again and again.
func (n *notification) digest(t event.Type) string {
	parts := []string{n.reason, n.call.MergedID}
	if t != event.CallCreated && t != event.CallEnded {
		parts = append(parts, n.at.Time.UTC().Format(time.RFC3339Nano))
		for _, target := range n.targets {
			parts = append(parts, target.number, target.account)
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:16])
}
