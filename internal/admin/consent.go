package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/store"
)

// Granter lets a person grant a connector access to its account in a browser.
// Tokens and secrets stay with who does it, the daemon where one runs.
type Granter interface {
	// Consent begins an attempt whose answer comes to redirect.
	Consent(ctx context.Context, connector, redirect string) (Consent, error)
	// Grant ends the attempt with the code that came with its State. An
	// attempt can be ended once, within ConsentLife.
	Grant(ctx context.Context, connector, state, code string) (Granted, error)
}

// Consent is a page that asks a person for consent, and the word that must
// come back with the answer.
type Consent struct {
	Page  string `json:"page"`
	State string `json:"state"`
}

// Granted says for which account access was granted.
type Granted struct {
	Account string `json:"account"`
	Before  string `json:"before,omitempty"` // the account until now, if it was another
}

const (
	// ConsentLife is how long a person may take for a consent.
	ConsentLife = 15 * time.Minute
	// maxAttempts bounds attempts that wait for their answer; the oldest goes.
	maxAttempts = 32
)

type attempt struct {
	connectors.Attempt
	connector string
	consent   connectors.Consent
	begun     time.Time
}

var (
	_ Granter = (*Desk)(nil)
	_ Granter = (*Client)(nil)
)

// Consent implements Granter.
func (d *Desk) Consent(_ context.Context, connector, redirect string) (Consent, error) {
	if u, err := url.Parse(redirect); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return Consent{}, errors.New("redirect must be an http or https address")
	}
	consent, err := d.Consents(connector)
	if err != nil {
		return Consent{}, err
	}
	a := attempt{consent.Begin(redirect), connector, consent, time.Now()}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.attempts) >= maxAttempts {
		d.attempts = slices.Delete(d.attempts, 0, 1)
	}
	d.attempts = append(d.attempts, a)
	return Consent{a.Page, a.State}, nil
}

// Grant implements Granter.
func (d *Desk) Grant(ctx context.Context, connector, state, code string) (Granted, error) {
	a, ok := d.take(connector, state)
	if !ok {
		return Granted{}, fmt.Errorf("this is not the answer to a consent that was begun in the last %.0f minutes; begin again", ConsentLife.Minutes())
	}
	g, err := a.consent.Grant(ctx, a.Attempt, code)
	if err == nil {
		err = d.Ledger.KeepAudit(ctx, store.Audit{Who: actorOf(ctx), What: "auth", On: []string{connector}})
	}
	return Granted{g.Account, g.Before}, d.then(err)
}

// take takes the attempt out of those that wait.
func (d *Desk) take(connector, state string) (attempt, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.attempts, func(a attempt) bool { return a.connector == connector && a.State == state })
	if i < 0 {
		return attempt{}, false
	}
	a := d.attempts[i]
	d.attempts = slices.Delete(d.attempts, i, i+1)
	return a, time.Since(a.begun) < ConsentLife
}

// consentOrder is the body of both requests below /api/connectors/{name}/.
type consentOrder struct {
	Redirect string `json:"redirect,omitempty"`
	State    string `json:"state,omitempty"`
	Code     string `json:"code,omitempty"`
}

func (h *handler) consent(w http.ResponseWriter, r *http.Request) {
	h.withConsent(w, r, func(g Granter, o consentOrder) (any, error) {
		return g.Consent(r.Context(), r.PathValue("name"), o.Redirect)
	})
}

func (h *handler) grant(w http.ResponseWriter, r *http.Request) {
	h.withConsent(w, r, func(g Granter, o consentOrder) (any, error) {
		return g.Grant(r.Context(), r.PathValue("name"), o.State, o.Code)
	})
}

func (h *handler) withConsent(w http.ResponseWriter, r *http.Request, do func(Granter, consentOrder) (any, error)) {
	g, ok := h.ops.(Granter)
	if !ok {
		fail(w, http.StatusNotFound, "access cannot be granted here")
		return
	}
	var o consentOrder
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder)).Decode(&o); err != nil {
		fail(w, http.StatusBadRequest, `the body must be {"redirect": …} or {"state": …, "code": …}`)
		return
	}
	v, err := do(g, o)
	reply(w, v, err)
}

// Consent implements Granter.
func (c *Client) Consent(ctx context.Context, connector, redirect string) (a Consent, err error) {
	return a, c.send(ctx, "/api/connectors/"+url.PathEscape(connector)+"/consent", consentOrder{Redirect: redirect}, &a)
}

// Grant implements Granter.
func (c *Client) Grant(ctx context.Context, connector, state, code string) (g Granted, err error) {
	return g, c.send(ctx, "/api/connectors/"+url.PathEscape(connector)+"/grant", consentOrder{State: state, Code: code}, &g)
}
