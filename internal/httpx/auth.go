package httpx

import (
	"context"
	"net/http"
)

// Access is what a request is sent with where credentials change while the
// daemon runs.
type Access struct {
	Authorization string // value of the header of that name
	BaseURL       string // instead of the client's, without a slash at its end; "" is the client's
}

// Auth gives access. It is safe for concurrent use. Its errors come out of Do
// as they are.
type Auth interface {
	// Access is what to send a request with.
	Access(ctx context.Context) (Access, error)
	// Renew is told of an answer 401 to a request sent with stale, and gives
	// other access, or stale again where there is none.
	Renew(ctx context.Context, stale Access) (Access, error)
}

// maxSends is how often one request is sent because of answers 401: renewed
// access may itself have been replaced before it was used.
const maxSends = 3

// doWithAuth sends a request again after an answer 401, with other access: a
// request that was refused so was not applied.
func (c *Client) doWithAuth(ctx context.Context, q Request) (*Response, error) {
	access, err := c.auth.Access(ctx)
	if err != nil {
		return nil, err
	}
	for sends := 1; ; sends++ {
		answer, err := c.do(ctx, q, access)
		if err != nil || answer.Status != http.StatusUnauthorized || sends == maxSends {
			return answer, err
		}
		next, err := c.auth.Renew(ctx, access)
		if err != nil {
			return nil, err
		}
		if next == access {
			return answer, nil
		}
		access = next
	}
}
