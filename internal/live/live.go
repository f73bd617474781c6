// Package live compares what a mapping writes with the CRM accounts that it
// writes to: which fields are missing there, cannot be written, or do not take
// what the rules give them (check.go), and which of them crmsyncd can make
// (missing.go).
//
// What an account takes is told by its connector, so that nothing passes here
// that is refused later. No record is read or written.
package live

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/mapping"
)

// patience is for all questions to one account.
const patience = 2 * time.Minute

// Account is a connector of the settings.
type Account struct {
	Name      string
	Connector connectors.Connector
	At        *diag.Node // its settings
}

// checker is what every connector of a CRM is.
type checker interface {
	connectors.Connector
	connectors.Checker
}

// survey is one account with what the rules write to it.
type survey struct {
	Account
	crm      checker
	writes   []mapping.Write
	schema   connectors.Schema
	unread   map[string]bool // objects that the account does not let us read
	problems diag.Problems
	told     map[string]bool // problems by their text, as several rules may share a table
}

// Comparable tells whether the account can be compared with rules at all; what
// takes anything, such as a webhook, cannot.
func (a Account) Comparable() bool {
	_, ok := a.Connector.(checker)
	return ok
}

// surveys reads the schemas of the accounts that rules write to, all at once.
// An account that does not answer has no schema, and a problem.
func surveys(ctx context.Context, writes []mapping.Write, accounts []Account, then func(context.Context, *survey)) []*survey {
	var all []*survey
	for _, a := range accounts {
		if !a.Comparable() {
			continue
		}
		if s := newSurvey(a, writes); s.writes != nil {
			all = append(all, s)
		}
	}
	var wg sync.WaitGroup
	for _, s := range all {
		wg.Go(func() {
			ctx, done := context.WithTimeout(ctx, patience)
			defer done()
			if s.describe(ctx, s.objects()) {
				then(ctx, s)
			}
		})
	}
	wg.Wait()
	return all
}

func newSurvey(a Account, writes []mapping.Write) *survey {
	s := &survey{Account: a, crm: a.Connector.(checker), schema: connectors.Schema{}, unread: map[string]bool{}, told: map[string]bool{}}
	for _, w := range writes {
		if w.To == a.Name {
			s.writes = append(s.writes, w)
		}
	}
	return s
}

// objects are those that the rules write, which are those that they link to.
func (s *survey) objects() []string {
	var names []string
	for _, w := range s.writes {
		names = append(names, w.Object)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// describe reads objects one by one, as one that the credentials do not open
// must not hide the others. It reports whether any could be asked for.
func (s *survey) describe(ctx context.Context, objects []string) bool {
	var last *connectors.Error
	for _, name := range objects {
		one, err := s.crm.Describe(ctx, []string{name})
		e := connectors.AsError(err)
		for e != nil && e.Kind == connectors.RateLimited && !e.Park && pause(ctx, max(e.Wait, firstPause)) {
			one, err = s.crm.Describe(ctx, []string{name})
			e = connectors.AsError(err)
		}
		if e != nil && e.Kind != connectors.Auth {
			s.fail(e)
			return false
		}
		if e != nil {
			last, s.unread[name] = e, true
		}
		maps.Copy(s.schema, one)
	}
	if last != nil && len(s.unread) == len(objects) {
		s.fail(last)
		return false
	}
	for _, w := range s.writes {
		if s.unread[w.Object] {
			s.add(w.At.Problem(fmt.Sprintf("the account of %s does not let crmsyncd see its %s: %s", s.Name, w.Object, last.Message), s.credentials()))
		}
	}
	return true
}

// pause waits where that ends before ctx does; false: it does not.
func pause(ctx context.Context, wait time.Duration) bool {
	if ends, ok := ctx.Deadline(); ok && time.Until(ends) <= wait {
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}

func (s *survey) add(p diag.Problem) {
	if text := p.Error(); !s.told[text] {
		s.told[text] = true
		s.problems = append(s.problems, p)
	}
}

// fail tells that the account could not be asked.
func (s *survey) fail(err *connectors.Error) {
	reason := err.Message
	if reason == "" {
		reason = err.Error()
	}
	hint := "run this again later"
	switch err.Kind {
	case connectors.Auth:
		hint = s.credentials()
	case connectors.Transient, connectors.Unknown:
		hint = "is the CRM reachable from here, and base_url right? then run this again"
	case connectors.Invalid, connectors.NotFound:
		hint = "mend what it says: the rights of its user in the CRM, or the settings" + s.page()
	case connectors.RateLimited, connectors.Ambiguous, connectors.Conflict:
	}
	p := s.At.Problem("the account of "+s.Name+" cannot be asked: "+reason, hint)
	p.Line = "" // it may hold a secret
	s.add(p)
}

// credentials is how to mend those that are refused, or not enough.
func (s *survey) credentials() string {
	return "mend the credentials or their scopes" + s.page() + ", then: systemctl reload crmsyncd"
}

// page says where it stands what the account's type needs.
func (s *survey) page() string {
	if at := s.At.Get("type"); at != nil {
		return " (docs/" + at.Value + ".md says which are needed)"
	}
	return ""
}

// refused reports whether the connector says no to what the rules want; any
// other error is the account's, and told as such.
func (s *survey) refused(err *connectors.Error) bool {
	if err != nil && err.Kind != connectors.Invalid && err.Kind != connectors.NotFound {
		s.fail(err)
		return false
	}
	return err != nil
}

// gather puts the problems of all accounts together.
func gather(all []*survey) diag.Problems {
	var ps diag.Problems
	for _, s := range all {
		ps = append(ps, s.problems...)
	}
	ps.Sort()
	return ps
}
