package httpx

import (
	"net/http"
	"sync"
	"time"
)

const (
	// patient is how many requests in a row may fail, over all workers of an
	// account, before it is taken to be down: what four workers send that try
	// three times.
	patient = 12
	// apart is the least time between two requests to an account that is down.
	apart = 250 * time.Millisecond
)

// outage keeps the workers of one account from sending all that they have to a
// vendor who is down: after so many failures in a row one request at a time
// goes out, and the others fail at once. The first success ends it. When to
// come back with all of them is the ledger's affair.
type outage struct {
	mu      sync.Mutex
	failed  int // in a row
	last    time.Time
	probing bool
}

// down tells whether nothing can be sent now.
func (o *outage) down() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed(time.Now())
}

func (o *outage) closed(now time.Time) bool {
	return o.failed >= patient && (o.probing || now.Sub(o.last) < apart)
}

// enter tells whether a request may be sent; then leave must follow.
func (o *outage) enter(now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed(now) {
		return false
	}
	o.probing = o.failed >= patient
	return true
}

// word is what a request says of the vendor.
type word int

const (
	noWord  word = iota // it was given up, or never sent
	worked              // the vendor's software answered
	trouble             // nobody answered, or only to say that it does not work
)

func (o *outage) leave(now time.Time, f word) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.probing = false
	switch f {
	case noWord:
	case worked:
		o.failed = 0
	case trouble:
		o.failed++
		o.last = now
	}
}

// again tells whether a quick second try is worth it.
func (o *outage) again() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failed < patient
}

// fared says what a request tells of the vendor.
func fared(r *http.Request, answer *http.Response, err error) word {
	switch {
	case err == nil && answer == nil: // a panic, which goes on
		return noWord
	case err != nil && (r.Context().Err() != nil || !worthwhile(err)):
		return noWord
	case err != nil, answer.StatusCode >= http.StatusInternalServerError && answer.StatusCode != http.StatusNotImplemented:
		return trouble
	}
	return worked
}
