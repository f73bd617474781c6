package certs

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync"
)

// located puts the address of an order into the CA's answer to its end, where
// the library looks for it and RFC 8555 (7.4) does not have it be: without, no
// certificate comes of CAs that take a moment to sign.
type located struct {
	next http.RoundTripper

	mu     sync.Mutex
	orders map[string]string // address of the order by that where it is ended
}

// mostOrders bounds what is remembered; a certificate takes one order.
const mostOrders = 100

// mostAnswer is the longest answer that is looked into, in bytes; an order has
// far less.
const mostAnswer = 1 << 20

// RoundTrip implements http.RoundTripper.
func (l *located) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := l.next.RoundTrip(r)
	if err != nil || r.Method != http.MethodPost || res.StatusCode/100 != 2 {
		return res, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	at := res.Header.Get("Location")
	if order := l.orders[r.URL.String()]; at == "" && order != "" {
		res.Header.Set("Location", order)
		return res, nil
	}
	if at == "" || res.StatusCode != http.StatusCreated {
		return res, nil
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, mostAnswer))
	res.Body = readClose{io.MultiReader(bytes.NewReader(text), res.Body), res.Body}
	var order struct {
		Finalize string `json:"finalize"`
	}
	if err == nil && json.Unmarshal(text, &order) == nil && order.Finalize != "" {
		if l.orders == nil || len(l.orders) >= mostOrders {
			l.orders = map[string]string{}
		}
		l.orders[order.Finalize] = at
	}
	return res, nil
}

type readClose struct {
	io.Reader
	io.Closer
}
