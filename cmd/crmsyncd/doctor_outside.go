package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/internal/doctor"
	"github.com/crmsyncd/crmsyncd/internal/live"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/sources"
)

// outsideTime bounds what one CRM or vendor is asked.
const outsideTime = 40 * time.Second

// outside looks at CRMs and vendors: the way there, then what they say to our
// credentials. All are asked at once.
func (c *cli) outside(ctx context.Context, p *patient) []doctor.Finding {
	s := p.setup.Settings
	ctx, cancel := context.WithTimeout(ctx, outsideTime)
	defer cancel()
	accounts, problems, done, err := c.accounts(ctx, p.setup, "")
	if err != nil {
		accounts, done = nil, func() error { return nil }
		problems = diag.Problems{{Severity: diag.Error, Message: "the tokens that a person granted cannot be read: " + err.Error()}}
	}
	defer func() { _ = done() }()
	var findings []doctor.Finding
	for _, x := range problems {
		findings = append(findings, doctor.Bad("connectors-unusable", "connectors", x.Message, cmp.Or(x.Hint, "run crmsyncd doctor as root or as the daemon's user")))
	}
	var asks []func() []doctor.Finding
	for _, b := range s.Connectors {
		conn, about := p.setup.Connectors[b.Name], "connector "+b.Name
		i := slices.IndexFunc(accounts, func(a live.Account) bool { return a.Name == b.Name })
		asks = append(asks, func() []doctor.Finding {
			out, ok := p.way(ctx, about, conn)
			if !ok || i < 0 {
				return out
			}
			return append(out, p.account(ctx, about, accounts[i])...)
		})
	}
	for _, b := range s.Sources {
		src, about := p.setup.Sources[b.Name], "source "+b.Name
		reader, ok := src.(sources.Reader)
		if !ok || reader.Readable() != nil {
			continue
		}
		asks = append(asks, func() []doctor.Finding {
			out, ok := p.way(ctx, about, src)
			if !ok {
				return out
			}
			return append(out, p.vendor(ctx, about, reader))
		})
	}
	answers := make([][]doctor.Finding, len(asks))
	var wg sync.WaitGroup
	for i, ask := range asks {
		wg.Go(func() { answers[i] = ask() })
	}
	wg.Wait()
	return append(findings, oneClock(slices.Concat(answers...))...)
}

// oneClock leaves out that the clock is right but for the first time.
func oneClock(findings []doctor.Finding) []doctor.Finding {
	told := false
	return slices.DeleteFunc(findings, func(f doctor.Finding) bool {
		if f.About != "clock" || f.State != doctor.OK {
			return false
		}
		before := told
		told = true
		return before
	})
}

// way looks at the way to what has an address; not ok: there is none.
func (p *patient) way(ctx context.Context, about string, to any) (out []doctor.Finding, ok bool) {
	at, known := to.(interface{ Address() string })
	if !known || at.Address() == "" {
		return nil, true
	}
	out = doctor.Network{}.Reach(ctx, about, at.Address())
	return out, !slices.ContainsFunc(out, func(f doctor.Finding) bool { return f.About == about && f.State == doctor.Fail })
}

// account asks a CRM whether our credentials are good, and whether they are
// enough for what the rules write.
func (p *patient) account(ctx context.Context, about string, a live.Account) []doctor.Finding {
	if p.client != nil {
		by, err := p.client.Account(ctx, a.Name)
		if err != nil {
			return []doctor.Finding{doctor.Doubt("account-unasked", about, "the running daemon cannot ask it: "+err.Error(), "if the settings changed: systemctl reload crmsyncd")}
		}
		a.Connector = by
	} else if !p.whole {
		return []doctor.Finding{doctor.Doubt("account-untried", about, "its credentials cannot be tried: secrets are missing here", "set -a; . /etc/crmsyncd/secrets.env; crmsyncd doctor")}
	}
	writes := slices.DeleteFunc(slices.Clone(p.setup.Rules.Writes()), func(w mapping.Write) bool { return w.To != a.Name })
	if len(writes) == 0 {
		return []doctor.Finding{doctor.Doubt("account-idle", about, "no rule writes to it", "add a rule to the mapping, or remove the connector")}
	}
	problems := live.Check(ctx, writes, []live.Account{a})
	if len(problems) == 0 {
		return []doctor.Finding{doctor.Fine("account", about, "the credentials are accepted, and let all be written that the rules want")}
	}
	out := []doctor.Finding{}
	for _, x := range problems[:min(len(problems), 3)] {
		said, mend := x.Pos.String()+": "+x.Message, cmp.Or(x.Hint, "mend this line; crmsyncd check --live shows it")
		if x.Severity == diag.Warning {
			out = append(out, doctor.Doubt("account-doubt", about, said, mend))
			continue
		}
		out = append(out, doctor.Bad("account-mistake", about, said, mend))
	}
	if n := len(problems) - len(out); n > 0 {
		out = append(out, doctor.Doubt("account-more", about, fmt.Sprintf("%d more of this kind", n), "crmsyncd check --live --connector "+a.Name+" shows all"))
	}
	return out
}

// vendor asks a vendor for the last minute.
func (p *patient) vendor(ctx context.Context, about string, r sources.Reader) doctor.Finding {
	if !p.whole {
		return doctor.Doubt("vendor-untried", about, "its credentials cannot be tried: secrets are missing here", "set -a; . /etc/crmsyncd/secrets.env; crmsyncd doctor")
	}
	now := time.Now()
	_, err := r.History(ctx, sources.Query{From: now.Add(-time.Minute), Until: now, Known: known})
	var refused *sources.ReadError
	switch {
	case err == nil:
		return doctor.Fine("vendor", about, "its vendor can be asked for missed webhooks")
	case errors.As(err, &refused) && refused.Again:
		return doctor.Doubt("vendor-later", about, "its vendor cannot be asked now: "+refused.What, "try again later; webhooks come all the same")
	}
	return doctor.Bad("vendor-refused", about, "its vendor cannot be asked: "+err.Error(), "webhooks come all the same, but missed ones cannot be fetched: compare the credentials with the vendor's page")
}

// known says of everything that it is known, so that no more is asked of it.
func known(_ context.Context, items []sources.Item) ([]bool, error) {
	out := make([]bool, len(items))
	for i := range out {
		out[i] = true
	}
	return out, nil
}
