package certs

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	pemfile "encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A stranger who asks for any name must not make the CA count a failure. How
// certificates are really issued is tried with pebble: make acme-test.
func TestNobodyButRunOrdersACertificate(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	ca := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Error(w, "no", http.StatusInternalServerError)
	}))
	t.Cleanup(ca.Close)
	a, err := Order(Orders{Domains: []string{"hooks.example.com"}, Directory: ca.URL, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hooks.example.com", "other.example.com", ""} {
		if _, err := a.Config().GetCertificate(&tls.ClientHelloInfo{ServerName: name, SupportedProtos: []string{"h2"}}); err == nil {
			t.Errorf("there is a certificate for %q", name)
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("the CA was asked %d times", n)
	}
	if i := a.Info(); i.Warning(time.Now()) != "there is no certificate yet" {
		t.Errorf("got %+v", i)
	}
	ctx, end := context.WithCancel(t.Context())
	told := ""
	a.Run(ctx, func(domain string, err error) {
		told = err.Error() // the CA's certificate is not known to this machine
		end()
	})
	if told == "" || !strings.Contains(a.Info().Problem, "hooks.example.com") {
		t.Errorf("want the problem in the status, got %q and %+v", told, a.Info())
	}
}

func TestANameIsKnownHoweverItIsSpelled(t *testing.T) {
	t.Parallel()
	a, err := Order(Orders{Domains: []string{"hooks.example.com"}, Directory: "https://127.0.0.1:1", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	a.used["hooks.example.com"] = new(tls.Certificate)
	for _, name := range []string{"hooks.example.com", "Hooks.Example.COM"} { // as a sender's settings have it
		if c, err := a.Config().GetCertificate(&tls.ClientHelloInfo{ServerName: name, SupportedProtos: []string{"h2"}}); err != nil || c == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAFailedOrderIsTriedAgainFewerThanFiveTimesAnHour(t *testing.T) {
	t.Parallel()
	var at time.Duration
	tries := 0
	for at < time.Hour {
		tries++
		at += again(tries)
	}
	if tries > 4 || again(1000) != time.Hour {
		t.Errorf("%d tries in an hour, then one in %s", tries, again(1000))
	}
}

func TestACAsRootsMustBeReadable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if _, err := Order(Orders{CA: path}); err == nil {
		t.Error("a file that is not there is no problem")
	}
	if err := os.WriteFile(path, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Order(Orders{CA: path}); err == nil {
		t.Error("a file without a certificate is no problem")
	}
}

func TestACAThatTakesAMomentToSignIsAskedForItsOrder(t *testing.T) {
	t.Parallel()
	ca := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/new":
			w.Header().Set("Location", "https://ca.test/order/1")
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"status":"pending","finalize":"http://`+r.Host+`/order/1/end"}`)
		case "/order/1/end":
			_, _ = io.WriteString(w, `{"status":"processing"}`)
		}
	}))
	t.Cleanup(ca.Close)
	c := &http.Client{Transport: &located{next: http.DefaultTransport}}
	for _, step := range []struct{ path, location, body string }{
		{"/order/1/end", "", "processing"}, // of an order that nobody made here
		{"/new", "https://ca.test/order/1", "finalize"},
		{"/order/1/end", "https://ca.test/order/1", "processing"},
	} {
		resp, err := c.Post(ca.URL+step.path, "application/jose+json", nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := resp.Header.Get("Location"); err != nil || got != step.location || !strings.Contains(string(body), step.body) {
			t.Errorf("%s: want %q and %q, got %q and %s, %v", step.path, step.location, step.body, got, body, err)
		}
	}
}

// The whole of an order is tried with pebble: make acme-test.
func TestAnAccountIsBoundToACustomerOfTheCA(t *testing.T) {
	t.Parallel()
	key := []byte("a key of 32 bytes, 01234567890123")
	bound := make(chan json.RawMessage, 1)
	var ca *httptest.Server
	ca = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Replay-Nonce", "once")
		switch r.URL.Path {
		case "/":
			_, _ = io.WriteString(w, `{"newNonce":"`+ca.URL+`/nonce","newAccount":"`+ca.URL+`/account","newOrder":"`+ca.URL+`/order"}`)
		case "/account":
			var signed struct{ Payload string }
			var account struct{ ExternalAccountBinding json.RawMessage }
			_ = json.NewDecoder(r.Body).Decode(&signed)
			payload, _ := base64.RawURLEncoding.DecodeString(signed.Payload)
			_ = json.Unmarshal(payload, &account)
			bound <- account.ExternalAccountBinding
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(ca.Close)
	dir := t.TempDir()
	roots := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(roots, pemfile.EncodeToMemory(&pemfile.Block{Type: "CERTIFICATE", Bytes: ca.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := Order(Orders{Domains: []string{"hooks.example.com"}, Directory: ca.URL, CA: roots, Dir: dir, KID: "a-customer", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	a.Run(ctx, func(string, error) { end() })
	var jws struct{ Protected, Payload, Signature string }
	select {
	case text := <-bound:
		if err := json.Unmarshal(text, &jws); err != nil {
			t.Fatalf("the account is bound by %q: %v", text, err)
		}
	default:
		t.Fatalf("no account was asked for: %+v", a.Info())
	}
	head, err := base64.RawURLEncoding.DecodeString(jws.Protected)
	if err != nil || !strings.Contains(string(head), `"kid":"a-customer"`) || !strings.Contains(string(head), `"alg":"HS256"`) {
		t.Errorf("its head is %s, %v", head, err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(jws.Protected + "." + jws.Payload))
	if want := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)); jws.Signature != want {
		t.Errorf("signed with %s, want %s", jws.Signature, want)
	}
}
