package httpx

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
)

func TestPrivateAddressesAreNotReachedInAnyNotation(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "169.254.169.254", "100.64.0.1", "100.127.255.255",
		"192.0.0.8", "192.0.2.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1",
		"fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd12:3456::1", "ff02::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::", "3fff::1", "5f00::1",
	} {
		if public(netip.MustParseAddr(text)) {
			t.Errorf("%s counts as public", text)
		}
	}
	for _, text := range []string{"1.1.1.1", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.167.1.1", "223.255.255.255", "::ffff:1.1.1.1", "64:ff9b::101:101", "2606:4700::1111", "2a00:1450::1"} {
		if !public(netip.MustParseAddr(text)) {
			t.Errorf("%s does not count as public", text)
		}
	}
	if public(netip.Addr{}) {
		t.Error("no address counts as public")
	}
}

func TestAllowedNetworksAreReached(t *testing.T) {
	t.Parallel()
	a, err := ParseReach([]string{"10.1.0.0/16", "192.168.7.9", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false, "192.168.7.9": true, "192.168.7.8": false, "fd00::1": true, "127.0.0.1": false, "1.1.1.1": true} {
		if got := a.reaches(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: reached %v, want %v", text, got, want)
		}
	}
}

func TestAProxyIsUsedAndNotTakenForTheReceiver(t *testing.T) {
	t.Parallel()
	var asked string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		io.WriteString(w, "ok")
	}))
	t.Cleanup(proxy.Close)
	via, _ := url.Parse(proxy.URL)
	to, _ := url.Parse("http://hooks.example.com/x")
	rt := Guarded(Reach{}, "refused", func(*http.Request) (*url.URL, error) { return via, nil })
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, to.String(), nil)
	answer, err := rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if asked != to.String() {
		t.Errorf("the proxy was asked for %q, want %q", asked, to)
	}
}

func TestABrokenProxySettingIsAnError(t *testing.T) {
	t.Parallel()
	broken := errors.New("bad proxy")
	to, _ := url.Parse("http://hooks.example.com/x")
	rt := Guarded(Reach{all: true}, "refused", func(*http.Request) (*url.URL, error) { return nil, broken })
	r, _ := http.NewRequestWithContext(context.Background(), http.MethodPost, to.String(), nil)
	if _, err := rt.RoundTrip(r); !errors.Is(err, broken) {
		t.Errorf("got %v, want the proxy's error", err)
	}
}
