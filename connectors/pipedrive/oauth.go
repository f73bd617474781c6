package pipedrive

import (
	"cmp"
	"context"
	"net/http"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
	"github.com/crmsyncd/crmsyncd/internal/oauth"
)

// access is that which a person granted, or nil where the settings hold an API
// token. Pipedrive's access tokens live for an hour, the refresh token for 60
// days from its last use; the answer names the company's own API address. What
// is asked for is set in the app at Pipedrive (OpenAPI document v1, 2026-11).
func access(cfg Config, opt connectors.Options) (*oauth.Source, error) {
	granted, err := oauth.Settings("api_token", cfg.APIToken, cfg.ClientID, cfg.ClientSecret)
	if !granted {
		return nil, err
	}
	p := oauth.Provider{
		Vendor: "Pipedrive", Connector: opt.Name,
		AuthorizeURL: oauth.Address(cfg.BaseURL, "pipedrive.com", "/oauth/authorize", "https://oauth.pipedrive.com/oauth/authorize"),
		TokenURL:     oauth.Address(cfg.BaseURL, "pipedrive.com", "/oauth/token", "https://oauth.pipedrive.com/oauth/token"),
		ClientID:     cfg.ClientID, ClientSecret: cfg.ClientSecret, Basic: true,
		UserAgent: opt.UserAgent, Timeout: cfg.Timeout, Vault: opt.Vault, Transport: opt.Transport,
	}
	if cfg.BaseURL == baseURL {
		p.Sites = ".pipedrive.com"
	}
	return oauth.New(p)
}

// Consent implements connectors.Consenter.
func (c *Connector) Consent() connectors.Consent { return c.access.Consent() }

// account names the company.
func (c *Connector) account(ctx context.Context) (string, *connectors.Error) {
	var answer struct {
		Data struct {
			Company string `json:"company_name"`
			Domain  string `json:"company_domain"`
		} `json:"data"`
	}
	if err := c.call(ctx, httpx.Request{Method: http.MethodGet, Path: v1 + "/users/me", Repeatable: true}, &answer); err != nil {
		return "", err
	}
	name := cmp.Or(answer.Data.Company, "?")
	if answer.Data.Domain != "" {
		name += " (" + answer.Data.Domain + ".pipedrive.com)"
	}
	return "the Pipedrive company " + name, nil
}
