// Package respondio receives the webhooks of respond.io, where teams talk to
// customers in messengers, by mail and by phone: contacts, conversations,
// messages, comments and calls. It asks nothing of respond.io's API.
package respondio

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
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
const Vendor = "respondio"

// maxKeys bounds the work of a request that is not authentic. A workspace has
// a webhook, with a key of its own, for each of eleven events.
const maxKeys = 64

// Config is a source of type respondio in config.yaml.
type Config struct {
	SigningKeys       []config.Secret `yaml:"signing_keys,required" doc:"signing keys of the webhooks; each webhook, and so each event, has its own"`
	APIToken          config.Secret   `yaml:"api_token" doc:"token of respond.io's developer API, for asking respond.io what webhooks did not say"`
	BaseURL           string          `yaml:"base_url" doc:"address of respond.io's API; default https://api.respond.io/v2"`
	RequestsPerSecond float64         `yaml:"requests_per_second" doc:"requests to respond.io's API in a second at most; default 2"`
	Country           string          `yaml:"country" doc:"country of numbers without country code, such as DE; default: defaults.country"`
}

// Source is one respond.io workspace.
type Source struct {
	name    string
	country string
	keys    [][]byte
	client  *httpx.Client // nil where the settings hold no token
}

var (
	_ sources.Source = (*Source)(nil)
	_ sources.Signer = (*Source)(nil)
	_ sources.Typed  = (*Source)(nil)
	_ sources.Warner = (*Source)(nil)
)

// New makes the source of that name. country completes numbers without country
// code unless the Config names one. The error says which setting is unfit.
func New(name string, cfg Config, country string) (*Source, error) {
	if n := len(cfg.SigningKeys); n == 0 || n > maxKeys {
		return nil, fmt.Errorf("signing_keys: wants 1 to %d keys", maxKeys)
	}
	s := &Source{name: name, country: strings.ToUpper(country)}
	for i, k := range cfg.SigningKeys {
		key := strings.TrimSpace(k.Reveal())
		if key == "" {
			return nil, fmt.Errorf("signing_keys: number %d of %d is empty", i+1, len(cfg.SigningKeys))
		}
		s.keys = append(s.keys, []byte(key))
	}
	if cfg.BaseURL != "" {
		if u, err := url.Parse(cfg.BaseURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return nil, errors.New("base_url: not an http or https address")
		}
	}
	if cfg.Country != "" {
		s.country = strings.ToUpper(cfg.Country)
	}
	var err error
	s.client, err = newClient(cfg)
	return s, err
}

// signatureHeader carries the base64 of HMAC-SHA256 over the body.
const signatureHeader = "X-Webhook-Signature"

// Authenticate checks the signature over the raw body, as receivers do that
// are known to work, and where it does not fit over the body as Node.js would
// write it anew, as respond.io's own example does.
func (s *Source) Authenticate(r *sources.Request) error {
	headers := r.Header[signatureHeader]
	switch {
	case len(headers) == 0 || len(headers) == 1 && headers[0] == "":
		return sources.Unauthentic("no_signature")
	case len(headers) > 1:
		return sources.Unauthentic("repeated_header")
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(headers[0]))
	if err != nil || len(signature) != sha256.Size {
		return sources.Unauthentic("bad_signature")
	}
	if s.fits(signature, r.Body) {
		return nil
	}
	if text, ok := stringify(r.Body); ok && string(text) != string(r.Body) && s.fits(signature, text) {
		return nil
	}
	return sources.Unauthentic("bad_signature")
}

// fits tries all keys, whichever of them fits.
func (s *Source) fits(signature, body []byte) bool {
	found := false
	for _, key := range s.keys {
		if hmac.Equal(signature, sum(key, body)) {
			found = true
		}
	}
	return found
}

func sum(key, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(body)
	return h.Sum(nil)
}

// Sign adds the signature with the first key. The delivery id is in the body.
func (s *Source) Sign(r *sources.Request, _ string, _ time.Time) error {
	r.Header.Set(signatureHeader, base64.StdEncoding.EncodeToString(sum(s.keys[0], r.Body)))
	return nil
}

// Takes reports that bodies of every type are taken: what is refused counts as
// a failure, and failures switch off the webhooks of the whole workspace.
func (*Source) Takes(string) bool { return true }

// Warning tells what a wrong signature leads to (respond.io's help, read
// 2026-11: over 30 failures in 30 minutes, over all webhooks together).
func (*Source) Warning(reason string) string {
	if reason != "bad_signature" {
		return ""
	}
	return "the signature fits none of signing_keys; respond.io switches off ALL webhooks of the workspace after 30 refusals in 30 minutes. " +
		"Each webhook has its own key: copy all of them from Settings > Integrations > Webhooks"
}

// Parse reads the eleven events of respond.io; others are kept as unknown,
// with the contact that they name.
func (s *Source) Parse(r *sources.Request) sources.Parsed {
	p := sources.Parsed{Event: &event.Event{Type: event.Unknown, Source: s.name, Vendor: Vendor}}
	if text, ok := stringify(r.Body); ok && !bytes.Equal(text, r.Body) {
		p.Sense = text // its signature fits every spelling
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
	w := open(doc, s.country)
	if w.id != "" {
		// Of two webhooks that one action sets off nobody knows whether they share the id.
		p.DeliveryID = w.kind + ":" + w.id
	}
	p.Event.Contact = w.contact()
	p.Event.Type = kinds[w.kind]
	if p.Event.Type == "" {
		p.Event.Type = event.Unknown
		return p
	}
	occurrence, problem := w.tell(p.Event, r.At)
	switch {
	case problem != "":
		p.Event.OccurredAt = time.Time{}
		p.Problem = problem
	case occurrence != "":
		p.ContentKey = "respondio:" + occurrence
	case w.id != "":
		p.ContentKey = "respondio:event:" + p.DeliveryID
	}
	return p
}
