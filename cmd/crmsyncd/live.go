package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/internal/live"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

// accounts are the CRM accounts of the settings, or the one that is named. The
// problems are those that cannot be asked from here. Call done afterwards.
func (c *cli) accounts(ctx context.Context, setup *app.Setup, only string) (list []live.Account, problems diag.Problems, done func() error, err error) {
	done = func() error { return nil }
	var names []string
	granted := false
	for _, b := range setup.Settings.Connectors {
		a := live.Account{Name: b.Name, Connector: setup.Connectors[b.Name], At: b.Node}
		names = append(names, b.Name)
		if only != "" && only != b.Name || !a.Comparable() {
			if only == b.Name {
				return nil, nil, done, usage("%s takes whatever is sent: it has no fields to compare with", only)
			}
			continue
		}
		granted = granted || consented(a)
		list = append(list, a)
	}
	if only != "" && list == nil {
		return nil, nil, done, unknownName("connector", only, names)
	}
	if !granted {
		return list, nil, done, nil
	}
	// Tokens that a person granted are in the ledger, which the daemon has.
	client := clientOf(setup.Settings)
	if _, err := client.Status(ctx); !errors.Is(err, admin.ErrUnreachable) {
		if err != nil {
			return nil, nil, done, err
		}
		list, problems = byDaemon(ctx, client, list)
		return list, problems, done, nil
	}
	ledger, err := openLedger(setup, bolt.Options{})
	switch {
	case errors.Is(err, store.ErrLocked):
		list, problems = without(list, "a daemon has the ledger with its tokens open but does not answer at "+setup.Settings.Admin, "is admin: the same in the daemon's settings?")
		return list, problems, done, nil
	case errors.Is(err, store.ErrNotFound):
		list, problems = without(list, "nobody has granted access to it yet", "run crmsyncd auth NAME")
		return list, problems, done, nil
	case err != nil:
		return nil, nil, done, err
	}
	_, end := app.NewDesk(ledger, setup)
	return list, nil, func() error { end(); return ledger.Close() }, nil
}

// byDaemon has the running daemon ask the accounts to which a person grants the
// access, as its own settings name them.
func byDaemon(ctx context.Context, client *admin.Client, list []live.Account) (rest []live.Account, problems diag.Problems) {
	for _, a := range list {
		if consented(a) {
			by, err := client.Account(ctx, a.Name)
			if err != nil {
				_, told := without([]live.Account{a}, "the running daemon has its tokens, and says: "+err.Error(), "if the settings changed, reload the daemon first (systemctl reload crmsyncd)")
				problems = append(problems, told...)
				continue
			}
			a.Connector = by
		}
		rest = append(rest, a)
	}
	return rest, problems
}

// without leaves out the accounts to which a person grants the access.
func without(list []live.Account, reason, hint string) (rest []live.Account, problems diag.Problems) {
	for _, a := range list {
		if !consented(a) {
			rest = append(rest, a)
			continue
		}
		p := a.At.Problem(fmt.Sprintf("the account of %s cannot be asked: %s", a.Name, reason), strings.ReplaceAll(hint, "NAME", a.Name))
		p.Line = "" // it may hold a secret
		problems = append(problems, p)
	}
	return rest, problems
}

// consented tells whether a person grants the access in a browser.
func consented(a live.Account) bool {
	c, ok := a.Connector.(connectors.Consenter)
	return ok && c.Consent() != nil
}
