package httpx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
)

var (
	errTimeout = errors.New("no answer in time")
	errTurn    = errors.New("the account's rate limit left no turn in time")
	errLeaving = errors.New("not sent, as crmsyncd stops")
	errDown    = errors.New("not sent, as requests before it got no useful answer")
	errForeign = errors.New("something on the way, such as a proxy or a firewall, refused the request with a page of HTML")
	errProxy   = errors.New("a proxy on the way wants a user and a password (407); set them in HTTPS_PROXY")
)

// Refusal is the error of a Transport that will not send a request at all, in
// words without secrets. It is passed on, and the request not tried again.
type Refusal string

// Error gives the words.
func (r Refusal) Error() string { return string(r) }

// Error is a request without an answer. It never holds a query, a body, a
// header or a password.
type Error struct {
	Method string
	Place  string // host and path
	What   string // what went wrong, in words
	// Written: the request, or part of it, went out, so that the vendor may
	// have applied it. False: it was surely not applied.
	Written bool
	// Cancelled: the caller gave up.
	Cancelled bool
	// Refused: the Transport would not send it, and says in What why.
	Refused bool
	cause   error // context errors only
}

// Error says what was asked and what went wrong.
func (e *Error) Error() string { return fmt.Sprintf("%s %s: %s", e.Method, e.Place, e.What) }

// Unwrap returns the context's error if the caller gave up, else nil: errors
// of the network name URLs and proxies with what is secret in them.
func (e *Error) Unwrap() error { return e.cause }

func (c *Client) failed(ctx context.Context, q Request, fate *fate, err error) *Error {
	e := &Error{Method: q.Method, Place: c.host + q.Path, What: inWords(err), Written: fate.written.Load()}
	var refusal Refusal
	e.Refused = errors.As(err, &refusal)
	if cause := ctx.Err(); cause != nil {
		e.Cancelled, e.cause, e.What = true, cause, cause.Error()
	}
	return e
}

// inWords describes a network error without its addresses.
func inWords(err error) string {
	var (
		dns       *net.DNSError
		unknownCA x509.UnknownAuthorityError
		badHost   x509.HostnameError
		badCert   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		notTLS    tls.RecordHeaderError
		network   net.Error
		refusal   Refusal
	)
	switch {
	case errors.As(err, &refusal):
		return refusal.Error()
	case errors.Is(err, errTimeout):
		return errTimeout.Error()
	case errors.Is(err, errTurn):
		return errTurn.Error()
	case errors.Is(err, errLeaving):
		return errLeaving.Error()
	case errors.Is(err, errDown):
		return errDown.Error()
	case errors.Is(err, errTooLarge):
		return errTooLarge.Error()
	case errors.Is(err, errForeign):
		return errForeign.Error()
	case errors.Is(err, errProxy), strings.HasSuffix(err.Error(), http.StatusText(http.StatusProxyAuthRequired)):
		return errProxy.Error()
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "cancelled"
	case errors.As(err, &dns):
		return "the host's name cannot be resolved"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed before the whole answer came"
	case errors.As(err, &unknownCA), errors.As(err, &badHost), errors.As(err, &badCert), errors.As(err, &verify):
		return "the server's certificate is not trusted"
	case errors.As(err, &notTLS):
		return "the server does not speak TLS"
	case errors.As(err, &network) && network.Timeout():
		return errTimeout.Error()
	}
	return "network error"
}

// worthwhile tells whether a quick second try can help.
func worthwhile(err error) bool {
	if refusal := Refusal(""); errors.As(err, &refusal) {
		return false
	}
	switch inWords(err) {
	case errTurn.Error(), errLeaving.Error(), errDown.Error(), errTooLarge.Error(), errProxy.Error(), errForeign.Error(), "cancelled", "the server's certificate is not trusted", "the server does not speak TLS":
		return false
	}
	return true
}
