package app

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// noConnector says that the settings do not name a connector.
func (s *Setup) noConnector(name string) error {
	hint := diag.DidYouMean(name, slices.Collect(maps.Keys(s.Connectors)))
	if hint != "" {
		hint = "; " + hint
	}
	return fmt.Errorf("the settings in force have no connector %q%s", name, hint)
}

// account opens a connector anew, with nothing remembered of its account. It
// shares the tokens of the one that delivers.
func (s *Setup) account(connector string) (connectors.Connector, error) {
	return s.Open(connector, nil)
}

// consent is how a person grants access to a connector.
func (s *Setup) consent(connector string) (connectors.Consent, error) {
	c, ok := s.Connectors[connector]
	if !ok {
		return nil, s.noConnector(connector)
	}
	if by, ok := c.(connectors.Consenter); ok {
		if consent := by.Consent(); consent != nil {
			return loggedConsent{consent, connector, s.Log}, nil
		}
		return nil, fmt.Errorf("connector %q has its token in the settings; for access by OAuth put client_id and client_secret in its place", connector)
	}
	return nil, fmt.Errorf("connectors of type %s get their access from the settings alone", s.types["connector "+connector])
}

// restless is how often access that nobody uses is used.
const restless = 24 * time.Hour

// keepAccess keeps access from ending because no delivery needs it, until ctx
// ends. Deliveries tell of access that has ended.
func (a *App) keepAccess(ctx context.Context) {
	ticker := time.NewTicker(restless)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		for name, c := range a.setup.Load().Connectors {
			by, ok := c.(connectors.Consenter)
			if !ok || by.Consent() == nil {
				continue
			}
			if err := by.Consent().Keep(ctx); err != nil && ctx.Err() == nil {
				a.log.Warn("a connector's access could not be renewed", "connector", name, "err", err)
			}
		}
	}
}

// loggedConsent leaves a trace of who may write to which account from now on.
type loggedConsent struct {
	connectors.Consent
	connector string
	log       *slog.Logger
}

// Grant implements connectors.Consent.
func (c loggedConsent) Grant(ctx context.Context, a connectors.Attempt, code string) (connectors.Granted, error) {
	g, err := c.Consent.Grant(ctx, a, code)
	switch {
	case err != nil:
		c.log.Warn("access was not granted", "connector", c.connector, "err", err)
	case g.Before != "":
		c.log.Warn("access was granted to another account than before", "connector", c.connector, "account", g.Account, "before", g.Before)
	default:
		c.log.Info("access was granted", "connector", c.connector, "account", g.Account)
	}
	return g, err
}
