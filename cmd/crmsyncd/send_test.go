package main

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/sources"
)

// TestSendTellsNoToken: what it could not send must not show the token that is a
// part of the address.
func TestSendTellsNoToken(t *testing.T) {
	t.Parallel()
	const token = "zzpathtokenmark-0123456789"
	guard, err := sources.NewGuard([]string{token}, "", []netip.Prefix{})
	if err != nil {
		t.Fatal(err)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	_, _, err = sender{guard: guard}.post(t.Context(), gone.URL+"/hooks/x", []byte("{}"), "msg_1")
	if err == nil || strings.Contains(err.Error(), token) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("the error is %v", err)
	}
}
