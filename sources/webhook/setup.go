package webhook

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/sources"
)

// setup collects what is wrong with settings.
type setup struct {
	cfg      Config
	formulas Formulas
	problems diag.Problems
	refused  error // a setting that has no node
}

func (u *setup) add(ps ...diag.Problem) { u.problems = append(u.problems, ps...) }

func (u *setup) bad(n *diag.Node, message, hint string) {
	p := n.Problem(message, hint)
	if n.Written != "" {
		p.Line = "" // it may hold a secret
	}
	u.add(p)
}

// refuse is a problem of a setting that has no node; the app finds its place.
func refuse(setting, message string) error { return fmt.Errorf("%s: %s", setting, message) }

// setUp makes a source of settings that are whole.
func setUp(name string, cfg Config, country string, language Language) (*Source, error) {
	s := &Source{
		name: name, prefix: Vendor + ":" + name, body: cfg.Body, country: strings.ToUpper(country), zone: time.UTC,
		answer: cfg.Answer, deliveryHeader: cfg.DeliveryHeader, close: cfg.CloseAfter, joined: cfg.Joined != nil && *cfg.Joined,
	}
	if cfg.Preset != "" {
		s.prefix = cfg.Preset
	}
	switch {
	case !slices.Contains([]string{"", "json", "form", "jwt"}, cfg.Body):
		return nil, refuse("body", "it is json, form or jwt")
	case cfg.DeliveryHeader != "" && !headerForm.MatchString(cfg.DeliveryHeader):
		return nil, refuse("delivery_header", "it cannot be the name of a header")
	case cfg.CloseAfter < 0:
		return nil, refuse("close_after", "it must not be negative")
	case cfg.CloseAfter > 0 && !s.joined:
		return nil, refuse("close_after", "it is for calls that are told by several events: set joined: true")
	case cfg.Event == nil || cfg.Event.Null:
		return nil, refuse("event", "it is missing; write a formula that gives the vendor's word for what happened, such as event: =raw.event, or one type of event, such as event: call.ended")
	}
	if cfg.Timezone != "" {
		zone, err := time.LoadLocation(string(cfg.Timezone))
		if err != nil {
			return nil, refuse("timezone", "it is no time zone")
		}
		s.zone = zone
	}
	formulas, ps := language(s.country, s.zone, cfg.Tables)
	u := &setup{cfg: cfg, formulas: formulas, problems: ps}
	u.words(s)
	s.word = u.formula(cfg.Event, event.Text)
	s.delivery = u.formula(cfg.DeliveryID, event.Text)
	s.occurred = u.formula(cfg.OccurredAt, event.Time)
	s.identity = u.formula(cfg.Identity, event.Text)
	u.constant(cfg.OccurredAt, "occurred_at", event.Time, s.occurred, func(v any) bool { _, ok := s.time(v); return ok })
	s.fields = u.fields(s)
	s.transcripts = append(slices.Clone(cfg.Transcripts), transcriptsIn(cfg.Fields.Get("call.transcript"))...)
	if u.problems.Err() == nil { // a field with a mistake in it is missing, too
		u.reachable(s)
	}
	s.proofs, s.standard = u.proofs()
	if s.body == "" && slices.ContainsFunc(s.proofs, func(p authenticator) bool { _, ok := p.(*jwtProof); return ok }) {
		s.body = "jwt"
	}
	if err := u.problems.Err(); err != nil {
		return nil, err
	}
	if u.refused != nil {
		return nil, u.refused
	}
	return s, nil
}

func (u *setup) formula(n *diag.Node, want event.Kind) formula {
	if n == nil || n.Null {
		return nil
	}
	f, ps := u.formulas.Compile(n, want)
	u.add(ps...)
	return f
}

// words reads the tables of the vendor's words.
func (u *setup) words(s *Source) {
	types := make([]string, len(event.Types))
	for i, t := range event.Types {
		types[i] = string(t)
	}
	s.events = map[string]event.Type{}
	for word, t := range u.table(u.cfg.Events, "events", types) {
		s.events[word] = event.Type(t)
	}
	s.statuses = u.table(u.cfg.Statuses, "statuses", event.CallStatuses)
	s.directions = u.table(u.cfg.Directions, "directions", event.Directions)
	maps.Copy(s.directions, missing(s.directions, usualDirections))
}

// usualDirections are the words that most vendors use.
var usualDirections = map[string]string{
	"inbound": "inbound", "incoming": "inbound", "in": "inbound",
	"outbound": "outbound", "outgoing": "outbound", "out": "outbound",
	"internal": "internal",
}

func missing(from, all map[string]string) map[string]string {
	out := maps.Clone(all)
	maps.DeleteFunc(out, func(k, _ string) bool { _, there := from[k]; return there })
	return out
}

// table reads words and what they mean; words count without regard to case.
func (u *setup) table(n *diag.Node, what string, meanings []string) map[string]string {
	out := map[string]string{}
	if n == nil || n.Null {
		return out
	}
	if n.Shape != diag.Mapping {
		u.bad(n, what+" wants the vendor's words with what they mean, not "+n.Shape.String(), "")
		return out
	}
	for _, p := range n.Pairs {
		switch {
		case p.Value.Shape != diag.Scalar:
			u.bad(p.Value, "wants one word, not "+p.Value.Shape.String(), "")
		case !slices.Contains(meanings, p.Value.Value):
			u.bad(p.Value, fmt.Sprintf("%q is none of those that can stand here", p.Value.Value), known(p.Value.Value, meanings))
		default:
			out[strings.ToLower(p.Key.Value)] = p.Value.Value
		}
	}
	return out
}

// known is a hint with the likeliest word, or else all of them.
func known(word string, all []string) string {
	if s := diag.DidYouMean(word, all); s != "" {
		return s
	}
	return "known here: " + strings.Join(all, ", ")
}

// fields reads what the fields of the model are filled with.
func (u *setup) fields(s *Source) (out []field) {
	n := u.cfg.Fields
	switch {
	case n == nil || n.Null:
		return nil
	case n.Shape != diag.Mapping:
		u.bad(n, "fields wants paths of the model with formulas, not "+n.Shape.String(), "write lines such as call.id: =raw.id")
		return nil
	}
	for _, p := range n.Pairs {
		if p.Value.Null {
			continue // switches a preset's field off
		}
		f, hint, ok := fieldOf(p.Key.Value)
		if !ok {
			u.bad(p.Key, "unknown path "+p.Key.Value, hint)
			continue
		}
		if f.value = u.formula(p.Value, f.kind); f.value != nil {
			u.constant(p.Value, f.path, f.kind, f.value, func(v any) bool {
				_, ok := s.made(&f, v)
				return ok || f.path == "call.status" // whose words are looked up
			})
			out = append(out, f)
		}
	}
	return out
}

// proofs reads auth.
func (u *setup) proofs() (out []authenticator, standard *sources.StandardWebhooks) {
	for _, a := range u.cfg.Auth {
		var p authenticator
		switch {
		case a.StandardWebhooks != nil:
			s, err := sources.NewStandardWebhooks(reveal(u.secrets(a, a.StandardWebhooks.Secret)))
			if err != nil {
				u.bad(a.node, err.Error(), "")
				continue
			}
			standard, p = s, standardProof{s}
		case a.HMAC != nil:
			p = u.hmac(a)
		case a.JWT != nil:
			p = u.jwt(a)
		case a.Header != nil:
			p = u.header(a)
		case a.Field != nil:
			p = u.field(a)
		}
		if p != nil {
			out = append(out, p)
		}
	}
	return out, standard
}

// secrets are those of a proof, or else of the source.
func (u *setup) secrets(a Authenticator, own []config.Secret) []config.Secret {
	if len(own) > 0 || len(u.cfg.Secret) > 0 {
		if len(own) == 0 {
			own = u.cfg.Secret
		}
		return own
	}
	const hint = "add secret: …, or auth: [] and a token where the vendor signs nothing"
	if u.cfg.Preset != "" {
		u.refused = refuse("preset", "the secret that it proves the sender by is missing; "+hint)
	} else {
		u.bad(a.node, "the secret that this proof needs is missing", hint)
	}
	return nil
}

// shortest is the shortest secret taken, in characters: vendors let people
// choose their own, and what is shorter can be found by trying.
const shortest = 8

// keys are the secrets of a proof as bytes.
func (u *setup) keys(a Authenticator, own []config.Secret) (keys [][]byte) {
	for _, s := range u.secrets(a, own) {
		tooShort := fmt.Sprintf("a secret is too short: at least %d characters are needed", shortest)
		switch {
		case len(s.Reveal()) >= shortest:
		case len(own) == 0:
			u.refused = refuse("secret", tooShort)
		default:
			u.bad(a.node, tooShort, "choose a longer one at the vendor")
		}
		keys = append(keys, []byte(s.Reveal()))
	}
	return keys
}

func reveal(secrets []config.Secret) []string {
	out := make([]string, len(secrets))
	for i, s := range secrets {
		out[i] = s.Reveal()
	}
	return out
}
