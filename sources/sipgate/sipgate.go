// Package sipgate receives what sipgate posts about calls: the deliveries of AI
// Agents, Conversational Intelligence and the AI Assistant before it, each once
// a call, and the events of the push API, which are several a call. It tells
// them apart by their bodies, so one address serves them all. Putting together
// the events of one call is the ledger's business. It steers no call: AI Flow,
// which asks what to say next, is acknowledged and kept. It reads the history of
// sipgate's REST API for calls that were not told, and writes nothing there.
package sipgate

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"mime"
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
const Vendor = "sipgate"

// DefaultBaseURL is sipgate's REST API (api.sipgate.com, read 2026-11).
const DefaultBaseURL = "https://api.sipgate.com"

// DefaultCloseAfter is how long the end of a call of the push API is waited
// for. One that was closed still ends when its end comes.
const DefaultCloseAfter = 4 * time.Hour

// Addresses are those that sipgate posts from: the first names itself in the
// help pages of AI Agents, both in the code of sipgate's library for the push
// API (read 2026-11).
var Addresses = []netip.Prefix{
	netip.MustParsePrefix("217.116.118.254/32"),
	netip.MustParsePrefix("212.9.46.32/32"),
}

// Config is a source of type sipgate in config.yaml.
type Config struct {
	PushSignature     string         `yaml:"push_signature" doc:"signature of the push API: optional (what is signed must be signed rightly), required (nothing else is taken, so no AI products) or ignore; default optional"`
	PushPublicKey     string         `yaml:"push_public_key" doc:"public key of that signature, PEM; default: sipgate's of November 2026"`
	CloseAfter        *time.Duration `yaml:"close_after" doc:"after how long without news a call of the push API is closed whose end was never told, 0 for never; default 4h"`
	APITokenID        string         `yaml:"api_token_id" doc:"id of a personal access token, such as token-ABCDEF, whose api_token it is"`
	APIToken          config.Secret  `yaml:"api_token" doc:"personal access token for sipgate's REST API, for asking sipgate what webhooks did not say"`
	BaseURL           string         `yaml:"base_url" doc:"address of sipgate's REST API; default https://api.sipgate.com"`
	RequestsPerSecond float64        `yaml:"requests_per_second" doc:"requests to sipgate's REST API in a second at most; default 3"`
	Country           string         `yaml:"country" doc:"country of numbers without country code, such as DE; default: defaults.country"`
}

// Source is one sipgate account.
type Source struct {
	name       string
	country    string
	signature  string // optional, required or ignore
	key        *rsa.PublicKey
	closeAfter time.Duration
	client     *httpx.Client // nil where the settings hold no credentials
}

var (
	_ sources.Source   = (*Source)(nil)
	_ sources.Unsigned = (*Source)(nil)
	_ sources.Typed    = (*Source)(nil)
	_ sources.Answerer = (*Source)(nil)
	_ sources.Closer   = (*Source)(nil)
)

// New makes the source of that name. country completes numbers without country
// code unless the Config names one. The error says which setting is unfit.
func New(name string, cfg Config, country string) (*Source, error) {
	s := &Source{name: name, country: strings.ToUpper(country), signature: "optional", closeAfter: DefaultCloseAfter}
	switch cfg.PushSignature {
	case "":
	case "optional", "required", "ignore":
		s.signature = cfg.PushSignature
	default:
		return nil, errors.New("push_signature: wants optional, required or ignore")
	}
	text := publicKey
	if cfg.PushPublicKey != "" {
		text = cfg.PushPublicKey
	}
	var err error
	if s.key, err = readKey(text); err != nil {
		return nil, err
	}
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
	s.client, err = newClient(cfg)
	return s, err
}

// Unsigned reports that nothing proves the sender but its address, unless
// signatures are required.
func (s *Source) Unsigned() (bool, []netip.Prefix) {
	if s.signature == "required" {
		return false, nil
	}
	return true, Addresses
}

// Takes also takes the forms of the push API.
func (*Source) Takes(mediaType string) bool { return mediaType == sources.FormType }

// CloseAfter is the setting close_after.
func (s *Source) CloseAfter() time.Duration { return s.closeAfter }

// Parse reads deliveries of the AI products and events of the push API. What
// sipgate posts to try an address, events of AI Flow, and versions and events
// that are not known are kept as unknown.
func (s *Source) Parse(r *sources.Request) sources.Parsed {
	p := sources.Parsed{Event: &event.Event{Type: event.Unknown, Source: s.name, Vendor: Vendor}}
	if isForm(r) {
		form, raw, err := sources.ReadForm(r.Body)
		if err != nil {
			p.Problem = err.Error()
			return p
		}
		p.Event.Raw = raw
		s.push(form, r.At, &p)
		if len(p.Calls) > 0 {
			p.Alike = sources.AlikeTold(p.Event, r.At)
		}
		return p
	}
	// So addresses are tried. Nothing is no JSON.
	if body := string(bytes.TrimSpace(r.Body)); body == "" || body == "null" {
		p.Event.Raw = json.RawMessage("null")
		return p
	}
	doc, err := sources.ReadJSON(r.Body)
	switch {
	case err != nil:
		p.Problem = err.Error()
	case !doc.IsObject():
		p.Problem = "the payload is no JSON object"
	case sources.IsRead(r, Vendor):
		s.told(doc, r.At, &p)
	case doc.Get("session").IsObject() && doc.Get("type").Known():
		s.flow(doc, &p)
	case doc.Get("call").IsObject():
		s.delivery(doc, r.At, &p)
	}
	return p
}

// isForm reports whether the body is a form. JSON under that type is what curl
// makes of a sample without further options; an event without any type is what
// is left of a form whose type a proxy has lost.
func isForm(r *sources.Request) bool {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	body := bytes.TrimLeft(r.Body, " \t\r\n")
	if mediaType == "" {
		return bytes.HasPrefix(body, []byte("event=")) || len(body) > 0 && body[0] >= 'a' && body[0] <= 'z' && bytes.Contains(body, []byte("&event="))
	}
	return mediaType == sources.FormType && (len(body) == 0 || body[0] != '{' && body[0] != '[')
}

// flow keeps an event of AI Flow, with the call that it names.
func (s *Source) flow(doc sources.Value, p *sources.Parsed) {
	session := doc.Get("session")
	c := &event.Call{
		ID:        session.Get("id").Text(),
		Direction: direction(session.Get("direction").Word()),
		From:      number(session.Get("from_phone_number").Text(), s.country),
		To:        number(session.Get("to_phone_number").Text(), s.country),
	}
	p.Event.Call, p.Event.Contact = c, external(c)
	switch kind := doc.Get("type").Word(); kind {
	case "session_start", "session_end": // once each; the others come again and again
		if c.ID != "" {
			p.ContentKey = "sipgate:flow:" + short(c.ID) + ":" + kind
		}
	}
}
