package hubspot

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// ownerPage is the most owners of one answer (owners guide, 2026-11).
const ownerPage = 500

// encodeOwner gives the id of the owner that a value means: a user's e-mail
// address in any case, or an id. Of a list the first that is a user counts, so
// that a rule can name a fallback.
func (c *Connector) encodeOwner(ctx context.Context, f connectors.Field, v connectors.Value) (string, *connectors.Error) {
	isID := func(s string) bool {
		_, err := strconv.ParseUint(s, 10, 64)
		return err == nil
	}
	return connectors.FirstUser(f, v, isID, func(email string) (string, *connectors.Error) { return c.owner(ctx, email) })
}

// owner gives the id of the owner with an e-mail address.
func (c *Connector) owner(ctx context.Context, email string) (string, *connectors.Error) {
	ids, err := c.owners.Get(ctx, "", c.readOwners)
	if err != nil {
		return "", connectors.AsError(err)
	}
	if id := ids[strings.ToLower(email)]; id != "" {
		return id, nil
	}
	return "", &connectors.Error{Kind: connectors.Invalid, Field: ownerField, Code: connectors.CodeNoUser,
		Message: "no user of this HubSpot account has the e-mail address; name a fallback: '=[call.agent.email, \"somebody@…\"]'"}
}

// readOwners reads all of them: whether HubSpot's own look-up by address minds
// the case is not documented.
func (c *Connector) readOwners(ctx context.Context) (map[string]string, error) {
	ids := map[string]string{}
	for after := ""; ; {
		var answer struct {
			Results []wireOwner `json:"results"`
			Paging  wirePaging  `json:"paging"`
		}
		query := url.Values{"limit": {strconv.Itoa(ownerPage)}}
		if after != "" {
			query.Set("after", after)
		}
		q := httpx.Request{Method: http.MethodGet, Path: "/crm/owners/" + Version, Query: query, Repeatable: true}
		if err := c.call(ctx, q, &answer); err != nil {
			return nil, err
		}
		for _, o := range answer.Results {
			if key := strings.ToLower(o.Email); key != "" && ids[key] == "" {
				ids[key] = o.ID
			}
		}
		if after = answer.Paging.Next.After; after == "" || len(answer.Results) == 0 {
			return ids, nil
		}
	}
}
