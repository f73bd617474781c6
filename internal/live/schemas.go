package live

import (
	"context"
	"slices"
	"sync"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/mapping"
)

// Schemas reads what the accounts have, by connector: the objects that rules
// write, and those that rules are mostly written for.
func Schemas(ctx context.Context, writes []mapping.Write, accounts []Account) (map[string]connectors.Schema, diag.Problems) {
	var mu sync.Mutex
	out := map[string]connectors.Schema{}
	var problems diag.Problems
	var wg sync.WaitGroup
	for _, a := range accounts {
		if !a.Comparable() {
			continue
		}
		wg.Go(func() {
			ctx, done := context.WithTimeout(ctx, patience)
			defer done()
			s := newSurvey(a, writes)
			schema := s.all(ctx)
			mu.Lock()
			defer mu.Unlock()
			out[a.Name] = schema
			problems = append(problems, s.problems...)
		})
	}
	wg.Wait()
	problems.Sort()
	return out, problems
}

// all describes every object that is known of.
func (s *survey) all(ctx context.Context) connectors.Schema {
	names := s.objects()
	if l, ok := s.Connector.(connectors.Lister); ok {
		more, err := l.Objects(ctx)
		if err != nil {
			s.fail(connectors.AsError(err))
			return nil
		}
		names = append(names, more...)
		slices.Sort(names)
		names = slices.Compact(names)
	}
	s.describe(ctx, names)
	return s.schema
}
