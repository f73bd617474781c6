package sources_test

import (
	"errors"
	"net/http"
	"net/netip"
	"testing"

	"github.com/crmsyncd/crmsyncd/sources"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	const old, next = "an-old-token-of-32-characters-00", "a-new-token-of-32-characters-000"
	here, there := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("198.51.100.1")
	net := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	tests := []struct {
		name    string
		tokens  []string
		header  string
		allow   []netip.Prefix
		request sources.Request
		reason  string // "" is admitted
	}{
		{name: "nothing is asked for"},
		{name: "the token in the path", tokens: []string{old}, request: sources.Request{Token: old}},
		{name: "the second token while it is changed", tokens: []string{old, next}, request: sources.Request{Token: next}},
		{name: "no token", tokens: []string{old}, reason: "no_token"},
		{name: "another token", tokens: []string{old}, request: sources.Request{Token: next}, reason: "wrong_token"},
		{name: "a part of the token", tokens: []string{old}, request: sources.Request{Token: old[:31]}, reason: "wrong_token"},
		{name: "the token as bearer", tokens: []string{old}, request: sources.Request{Header: http.Header{"Authorization": {"Bearer " + old}}}},
		{name: "the token in X-Token", tokens: []string{old}, request: sources.Request{Header: http.Header{"X-Token": {old}}}},
		{name: "the token in a header of the vendor's", tokens: []string{old}, header: "x-vendor-key", request: sources.Request{Header: http.Header{"X-Vendor-Key": {old}}}},
		{name: "the token in another header", tokens: []string{old}, request: sources.Request{Header: http.Header{"X-Other": {old}}}, reason: "no_token"},
		{name: "a wrong one in the path and the right one in a header", tokens: []string{old}, request: sources.Request{Token: next, Header: http.Header{"X-Token": {old}}}, reason: "wrong_token"},
		{name: "the right one in the path and another thing in a header", tokens: []string{old}, request: sources.Request{Token: old, Header: http.Header{"Authorization": {"Basic eDp5"}}}},
		{name: "the second of two headers", tokens: []string{old}, request: sources.Request{Header: http.Header{"Authorization": {"Basic eDp5"}, "X-Token": {old}}}},
		{name: "an address of the list", allow: net, request: sources.Request{Remote: here}},
		{name: "another address", allow: net, request: sources.Request{Remote: there}, reason: "address"},
		{name: "no address", allow: net, reason: "address"},
		{name: "the right token from another address", tokens: []string{old}, allow: net, request: sources.Request{Remote: there, Token: old}, reason: "address"},
		{name: "a wrong token from the right address", tokens: []string{old}, allow: net, request: sources.Request{Remote: here, Token: next}, reason: "wrong_token"},
		{name: "both right", tokens: []string{old}, allow: net, request: sources.Request{Remote: here, Token: old}},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g, err := sources.NewGuard(c.tokens, c.header, c.allow)
			if err != nil {
				t.Fatal(err)
			}
			err = g.Check(&c.request)
			var refusal *sources.Refusal
			switch {
			case c.reason == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.reason != "" && (!errors.As(err, &refusal) || refusal.Reason != c.reason):
				t.Errorf("got %v, want %s", err, c.reason)
			}
		})
	}
}

func TestGuardRefusesTokensThatNoAddressHolds(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"", "with/slash", "with blank", "ümlaut-ümlaut-ümlaut"} {
		if _, err := sources.NewGuard([]string{token}, "", nil); err == nil {
			t.Errorf("%q was taken", token)
		}
	}
	if _, err := sources.NewGuard(nil, "X-Key", nil); err == nil {
		t.Error("a header without a token was taken")
	}
}

func TestGuardTellsTheTokenThatARequestShows(t *testing.T) {
	t.Parallel()
	const old, next = "an-old-token-of-32-characters-00", "a-new-token-of-32-characters-000"
	g, err := sources.NewGuard([]string{next, old}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		request sources.Request
		want    string
	}{
		{sources.Request{Token: old}, old},
		{sources.Request{Token: next}, next},
		{sources.Request{Header: http.Header{"X-Token": {old}}}, old},
		{sources.Request{Header: http.Header{"Authorization": {"Bearer " + old}, "X-Token": {"x"}}}, old},
		{sources.Request{Header: http.Header{"X-Token": {"x"}}}, ""},
		{sources.Request{}, ""},
	} {
		if got := g.Admitted(&c.request); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.request, got, c.want)
		}
	}
}
