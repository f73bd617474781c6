package hubspot

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
	"github.com/crmsyncd/crmsyncd/internal/oauth"
)

// scopes are what contacts, calls and notes, and owners by e-mail need.
var scopes = []string{"oauth", "crm.objects.contacts.read", "crm.objects.contacts.write", "crm.objects.owners.read"}

// access is that which a person granted, or nil where the settings hold a
// token. HubSpot's access tokens live for 30 minutes, the refresh token stays
// (OAuth guide, 2026-11).
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
		Vendor: "HubSpot", Connector: opt.Name,
		AuthorizeURL: oauth.Address(cfg.BaseURL, "hubapi.com", "/oauth/authorize", "https://app.hubspot.com/oauth/authorize"),
		TokenURL:     oauth.Address(cfg.BaseURL, "hubapi.com", "/oauth/"+Version+"/token", baseURL+"/oauth/"+Version+"/token"),
		ClientID:     cfg.ClientID, ClientSecret: cfg.ClientSecret, Scopes: wanted,
		UserAgent: opt.UserAgent, Timeout: cfg.Timeout, Vault: opt.Vault, Transport: opt.Transport,
	})
}

// Consent implements connectors.Consenter.
func (c *Connector) Consent() connectors.Consent { return c.access.Consent() }

// account names the account, and makes sure that its contacts can be read.
func (c *Connector) account(ctx context.Context) (string, *connectors.Error) {
	var about struct {
		ID     int64  `json:"hub_id"`
		Domain string `json:"hub_domain"`
	}
	if err := c.access.About(ctx, "/introspect", &about); err != nil {
		return "", err
	}
	q := httpx.Request{Method: http.MethodGet, Path: objectPath("contacts", ""), Query: url.Values{"limit": {"1"}}, Repeatable: true}
	if err := c.call(ctx, q, nil); err != nil {
		return "", err
	}
	if about.Domain == "" {
		return fmt.Sprintf("the HubSpot account %d", about.ID), nil
	}
	return fmt.Sprintf("the HubSpot account %d (%s)", about.ID, about.Domain), nil
}
