package airtable

import (
	"context"
	"net/http"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
	"github.com/crmsyncd/crmsyncd/internal/oauth"
)

var scopes = []string{"data.records:read", "data.records:write", "schema.bases:read"}

// access is that which a person granted, or nil where the settings hold a
// token. Airtable's access tokens live for an hour; each renewal replaces the
// refresh token, which is good once (OAuth reference, 2026-11).
func access(cfg Config, opt connectors.Options) (*oauth.Source, error) {
	granted, err := oauth.Settings("access_token", cfg.AccessToken, cfg.ClientID, cfg.ClientSecret)
	if !granted {
		return nil, err
	}
	wanted := cfg.Scopes
	if len(wanted) == 0 {
		wanted = scopes
	}
	return oauth.New(oauth.Provider{
		Vendor: "Airtable", Connector: opt.Name,
		AuthorizeURL: oauth.Address(cfg.BaseURL, "airtable.com", "/oauth2/v1/authorize", "https://airtable.com/oauth2/v1/authorize"),
		TokenURL:     oauth.Address(cfg.BaseURL, "airtable.com", "/oauth2/v1/token", "https://airtable.com/oauth2/v1/token"),
		ClientID:     cfg.ClientID, ClientSecret: cfg.ClientSecret, Scopes: wanted, Basic: true, Proof: true,
		UserAgent: opt.UserAgent, Timeout: cfg.Timeout, Vault: opt.Vault, Transport: opt.Transport,
	})
}

// Consent implements connectors.Consenter.
func (c *Connector) Consent() connectors.Consent { return c.access.Consent() }

// account names the user, and makes sure that the base's tables can be read:
// the person chooses on Airtable's page which bases the access is for.
func (c *Connector) account(ctx context.Context) (string, *connectors.Error) {
	var user struct {
		ID string `json:"id"`
	}
	if err := c.call(ctx, httpx.Request{Method: http.MethodGet, Path: "/v0/meta/whoami", Repeatable: true}, &user); err != nil {
		return "", err
	}
	c.schemas.Forget()
	s, err := c.schema(ctx)
	if err != nil {
		return "", err
	}
	if !s.known {
		return "", &connectors.Error{Kind: connectors.Auth, Account: true, Code: "NO_SCHEMA_SCOPE", Message: "the access does not cover the base " + c.base + ", or lacks the scope schema.bases:read; allow the base on Airtable's page"}
	}
	return "the Airtable base " + c.base + " as user " + user.ID, nil
}
