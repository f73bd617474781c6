// Package telli receives the webhooks of telli, whose voice agents call
// contacts and report how the calls went: call_ended and
// contact_status_changed, signed by Svix. It reads telli's API for what webhooks
// did not tell, and writes nothing there.
package telli

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
	"github.com/crmsyncd/crmsyncd/sources"
)

// Vendor is the type of these sources in config.yaml.
const Vendor = "telli"

// DefaultBaseURL is telli's API (docs.telli.com, read 2026-11).
const DefaultBaseURL = "https://api.telli.com"

// Config is a source of type telli in config.yaml.
type Config struct {
	SigningSecret     []config.Secret `yaml:"signing_secret,required" doc:"signing secret of the webhook endpoint, whsec_…; a list while it is being rotated"`
	APIKey            config.Secret   `yaml:"api_key" doc:"key of telli's API, for asking telli what webhooks did not say"`
	BaseURL           string          `yaml:"base_url" doc:"address of telli's API; default https://api.telli.com"`
	RequestsPerSecond float64         `yaml:"requests_per_second" doc:"requests to telli's API in a second at most; default 4"`
	Country           string          `yaml:"country" doc:"country of numbers without country code, such as DE; default: defaults.country"`
}

// Source is one telli account.
type Source struct {
	name    string
	country string
	sign    *sources.StandardWebhooks
	client  *httpx.Client // nil where the settings hold no key
}

var (
	_ sources.Source = (*Source)(nil)
	_ sources.Signer = (*Source)(nil)
)

// New makes the source of that name. country completes numbers without country
// code unless the Config names one. The error says which setting is unfit.
func New(name string, cfg Config, country string) (*Source, error) {
	secrets := make([]string, len(cfg.SigningSecret))
	for i, s := range cfg.SigningSecret {
		secrets[i] = s.Reveal()
	}
	sign, err := sources.NewStandardWebhooks(secrets)
	if err != nil {
		return nil, fmt.Errorf("signing_secret: %w", err)
	}
	if cfg.BaseURL != "" {
		if u, err := url.Parse(cfg.BaseURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return nil, errors.New("base_url: not an http or https address")
		}
	}
	if cfg.Country != "" {
		country = cfg.Country
	}
	client, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	return &Source{name: name, country: strings.ToUpper(country), sign: sign, client: client}, nil
}

// Authenticate checks the Svix signature.
func (s *Source) Authenticate(r *sources.Request) error {
	return s.sign.Verify(r.Header, r.Body, r.At)
}

// Sign adds the Svix headers.
func (s *Source) Sign(r *sources.Request, id string, at time.Time) error {
	s.sign.Sign(r.Header, id, at, r.Body)
	return nil
}

// Parse reads call_ended and contact_status_changed; other events are kept as
// unknown, with the call and the contact that they name.
func (s *Source) Parse(r *sources.Request) sources.Parsed {
	p := sources.Parsed{
		Event:      &event.Event{Type: event.Unknown, Source: s.name, Vendor: Vendor},
		DeliveryID: s.sign.MessageID(r.Header),
	}
	doc, err := sources.ReadJSON(r.Body)
	switch {
	case err != nil:
		p.Problem = err.Error()
		return p
	case !doc.IsObject():
		p.Problem = "the payload is no JSON object"
		return p
	}
	w := reading{country: s.country}
	w.read(doc)
	p.Event.Call, p.Event.Contact = w.call, w.contact
	switch doc.Get("event").Word() {
	case "call_ended":
		p.Event.Type = event.CallEnded
		p.Problem = w.callEnded(r.At, &p)
	case "contact_status_changed":
		p.Event.Type = event.ContactStatusChanged
		p.Problem = w.statusChanged(r.At, &p)
	}
	return p
}

// callEnded fills in what orders and identifies the end of a call.
func (w *reading) callEnded(now time.Time, p *sources.Parsed) (problem string) {
	if w.call == nil || w.call.ID == "" {
		return "call_ended without the id of a call"
	}
	for _, t := range w.callTimes {
		if problem := t.Problem(now); problem != "" {
			return problem
		}
	}
	switch c := w.call; {
	case !c.EndedAt.IsZero():
		p.Event.OccurredAt = c.EndedAt
	case !c.StartedAt.IsZero():
		p.Event.OccurredAt = c.StartedAt
	default:
		p.Event.OccurredAt = w.triggeredAt
	}
	p.ContentKey = "telli:call:" + w.call.ID + ":ended"
	return ""
}

// statusChanged fills in what orders and identifies a change of status. Without
// status_updated_at nothing tells two changes to the same status apart, so
// there is no content key then.
func (w *reading) statusChanged(now time.Time, p *sources.Parsed) (problem string) {
	c := w.contact
	switch {
	case c == nil || c.ID == "" && c.ExternalID == "" && c.Phone == "" && c.Email == "":
		return "contact_status_changed without a contact"
	case c.Status == "":
		return "contact_status_changed without a status"
	}
	if problem := w.statusTime.Problem(now); problem != "" {
		return problem
	}
	if c.StatusChangedAt.IsZero() {
		return ""
	}
	p.Event.OccurredAt = c.StatusChangedAt
	if c.ID != "" {
		p.ContentKey = "telli:status:" + c.ID + ":" + c.Status + ":" + c.StatusChangedAt.UTC().Format(time.RFC3339)
	}
	return ""
}
