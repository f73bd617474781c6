// Package webhook receives the webhooks of any vendor by settings in
// config.yaml, without code: what proves the sender, what the vendor's words
// mean, and formulas over the payload for each field of the common model.
// presets/ holds such settings for vendors that are known. It asks nothing of
// any vendor's API, and one request is one event: what comes in bundles needs a
// package of its own.
//
// The files, in the order in which a request goes through them: config.go and
// presets.go (settings), setup.go and reach.go (checks), auth.go, hmac.go, template.go and
// jwt.go (proof), body.go (JSON, forms and tokens), parse.go and event.go (the
// event), model.go, values.go and numbers.go (fields of the common model).
package webhook

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/sources"
)

// Formulas compiles the formulas of settings. They are those of mapping.yaml,
// which no source may know.
type Formulas interface {
	// Compile reads a formula, a text with {{ }}, or a plain value, which must
	// be able to give a value of that kind. nil is a missing value.
	Compile(n *diag.Node, want event.Kind) (func(raw any) (any, error), diag.Problems)
}

// Language makes Formulas for the country of numbers without country code, the
// zone of times without one, and tables, which may be nil.
type Language func(country string, zone *time.Location, tables *diag.Node) (Formulas, diag.Problems)

// Source is one sender of webhooks.
type Source struct {
	name    string
	prefix  string // of content keys
	body    string // json, form, jwt; "": by the content type
	country string
	zone    *time.Location
	proofs  []authenticator
	answer  *Answer
	joined  bool
	close   time.Duration

	word, delivery, occurred, identity formula // may be nil
	deliveryHeader                     string
	standard                           *sources.StandardWebhooks // whose message id is the delivery's; may be nil
	events                             map[string]event.Type
	statuses, directions               map[string]string
	fields                             []field
	transcripts                        []string // see sources.WithoutTranscript
}

type formula = func(raw any) (any, error)

var (
	_ sources.Source   = (*Source)(nil)
	_ sources.Discreet = (*Source)(nil)
	_ sources.Signer   = (*Source)(nil)
	_ sources.Unsigned = (*Source)(nil)
	_ sources.Typed    = (*Source)(nil)
	_ sources.Answerer = (*Source)(nil)
	_ sources.Closer   = (*Source)(nil)
	_ sources.Located  = (*Source)(nil)
)

// New makes the source of that name. country completes numbers without country
// code unless the Config names one. The error is diag.Problems, each at its
// place in the file.
func New(name string, cfg Config, country string, language Language) (*Source, error) {
	if cfg.Preset != "" {
		if !slices.Contains(Presets(), cfg.Preset) {
			return nil, errors.New("preset: there is none of that name; " + known(cfg.Preset, Presets()))
		}
		p, ps := preset(cfg.Preset)
		if ps.Err() != nil {
			return nil, ps
		}
		cfg = cfg.over(p)
	}
	if cfg.Country != "" {
		country = cfg.Country
	}
	return setUp(name, cfg, country, language)
}

// Authenticate asks every proof of the settings, whatever the one before said.
func (s *Source) Authenticate(r *sources.Request) error {
	m := &message{Request: r, form: s.isForm(r)}
	reason := ""
	for _, p := range s.proofs {
		if why := p.verify(m); why != "" && reason == "" {
			reason = why
		}
	}
	if reason != "" {
		return sources.Unauthentic(reason)
	}
	return nil
}

// Sign proves the request by every proof of the settings. Those that put
// another body in place come first.
func (s *Source) Sign(r *sources.Request, id string, at time.Time) error {
	if s.deliveryHeader != "" {
		r.Header.Set(s.deliveryHeader, id)
	}
	m := &message{Request: r, form: s.isForm(r)}
	for _, inBody := range []bool{true, false} {
		for _, p := range s.proofs {
			if p.inBody() == inBody {
				p.sign(m, id, at)
			}
		}
	}
	return nil
}

// Unsigned reports whether the settings name no proof.
func (s *Source) Unsigned() (bool, []netip.Prefix) { return len(s.proofs) == 0, nil }

// Takes takes forms, and any type where settings say what bodies are.
func (s *Source) Takes(mediaType string) bool {
	return s.body != "" && mediaType != "multipart/form-data" || s.body == "" && mediaType == sources.FormType
}

// Answer gives what the settings say that the vendor wants.
func (s *Source) Answer(*sources.Request) (contentType string, body []byte) {
	if s.answer == nil {
		return "", nil
	}
	return s.answer.Type, []byte(s.answer.Body)
}

// CloseAfter is close_after of the settings.
func (s *Source) CloseAfter() time.Duration { return s.close }
