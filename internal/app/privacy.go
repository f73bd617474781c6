package app

import (
	"context"
	"fmt"
	"regexp"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

// ledgerKeys are the keys of the ledger, as far as this process may read them.
type ledgerKeys struct {
	keys    []bolt.Key
	missing string // what stands for a key that could not be read, as written
}

func (l *ledgerKeys) read(p config.Privacy) (ps diag.Problems) {
	for i, at := range p.Keys {
		if at.Missing {
			l.missing = at.Node.Written
			continue
		}
		key, err := bolt.ParseKey(p.EncryptionKeys[i].Reveal())
		message, hint := "", ""
		switch {
		case err != nil:
			message, hint = err.Error(), "words that people think up are not taken; none in the first place turns encryption off"
		case key.None() && i > 0:
			message, hint = "none turns encryption off only in the first place", "put it first, or remove it"
		}
		if message != "" {
			problem := at.Node.Problem(message, hint)
			problem.Line = "" // it may hold the key
			ps = append(ps, problem)
			continue
		}
		l.keys = append(l.keys, key)
	}
	return ps
}

// Keys are the keys that the ledger is to be opened with. The error is a
// store.ErrKey: this process may not read one of them.
func (s *Setup) Keys() ([]bolt.Key, error) {
	if s.keys.missing != "" {
		return nil, fmt.Errorf("%w: %s of privacy.encryption_keys cannot be read here; use a running daemon, or a key in a file that this user may read", store.ErrKey, s.keys.missing)
	}
	return s.keys.keys, nil
}

var heard = regexp.MustCompile(`\bcall\.transcript\b`)

// unheard warns of rules that use what is not kept.
func (s *Setup) unheard() (ps diag.Problems) {
	if s.Settings.Privacy.StoreTranscripts || s.Rules == nil {
		return nil
	}
	for _, rule := range s.Rules.Rules() {
		warn := func(pos diag.Pos, what string) {
			ps = append(ps, diag.Problem{
				Pos: pos, Severity: diag.Warning, Message: what + " uses call.transcript, which is always missing with privacy: {store_transcripts: false}",
				Hint: "remove it, or keep transcripts",
			})
		}
		for _, r := range rule.Objects {
			if rule.Enabled && heard.MatchString(rule.When) {
				warn(r.Pos, fmt.Sprintf("the condition of %q", rule.Name))
			}
			for _, f := range r.Fields {
				if rule.Enabled && heard.MatchString(f.Source) {
					warn(f.Pos, f.Name)
				}
			}
		}
	}
	return ps
}

// discreet is a ledger that is given no transcripts where the settings do not
// want them kept, whichever way an event comes.
type discreet struct {
	store.Ledger
	setup func() *Setup
}

// Append implements store.Ledger.
func (d discreet) Append(ctx context.Context, e store.Event) (store.Receipt, error) {
	return d.Ledger.Append(ctx, d.setup().discreet(e))
}

// discreet takes the transcript out of an event. By its identity, it is what it
// was: the vendor's retry is known again.
func (s *Setup) discreet(e store.Event) store.Event {
	if s.Settings.Privacy.StoreTranscripts {
		return e
	}
	if e.Sense == nil {
		e.Sense = e.Body
	}
	e.Body = s.unspoken(e)
	return e
}

// unspoken gives the body of an event as it may be read: without its transcript
// where the settings do not want them. An event that was kept under other
// settings may have one still.
func (s *Setup) unspoken(e store.Event) []byte {
	if s.Settings.Privacy.StoreTranscripts {
		return e.Body
	}
	if src, ok := s.Sources[e.Source].(sources.Discreet); ok && e.ContentType != ownContent {
		return src.WithoutTranscript(request(e))
	}
	return sources.WithoutTranscript(request(e))
}
