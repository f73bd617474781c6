package httpx

import (
	"cmp"
	"net/http"
)

// Reading is how a vendor of calls or conversations is asked for what it knows:
// with what its settings say, else with what its folder does.
type Reading struct {
	BaseURL, DefaultBaseURL string
	PerSecond               float64 // requests; 0 or less: DefaultPerSecond
	DefaultPerSecond        float64
	Header                  http.Header // the credentials
}

// Client returns the client for it, which sends one request after the other.
func (r Reading) Client() (*Client, error) {
	rate := cmp.Or(max(r.PerSecond, 0), r.DefaultPerSecond)
	return New(Options{BaseURL: cmp.Or(r.BaseURL, r.DefaultBaseURL), UserAgent: "crmsyncd", Header: r.Header, Limiter: NewLimiter(rate, 1)})
}
