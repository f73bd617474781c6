package salesforce_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/salesforce"
)

func TestASessionIsRenewedOnceForAll(t *testing.T) {
	t.Parallel()
	o := newOrg(t, nil)
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			if _, err := o.c.Find(t.Context(), []connectors.Match{{Object: "Contact", Keys: []connectors.Key{{{Field: "Email", Value: fmt.Sprintf("%d@example.com", n)}}}}}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := o.requests("oauth2/token"); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
	o.fault(map[string]any{"status": 401, "times": 1}) // the session is over for all
	for n := range 20 {
		all.Go(func() {
			if r, err := o.c.Write(t.Context(), []connectors.Change{call(fmt.Sprint(n))}); err != nil || r[0].Err != nil {
				t.Error(err, r)
			}
		})
	}
	all.Wait()
	if n := o.requests("oauth2/token"); n != 2 {
		t.Errorf("%d sessions, want 2", n)
	}
	before := len(o.box.Requests("salesforce"))
	o.fault(map[string]any{"status": 401})
	r := o.write(call("x"))[0]
	if n := len(o.box.Requests("salesforce")) - before; r.Err == nil || r.Err.Kind != connectors.Auth || n > 3 {
		t.Errorf("got %v after %d requests, want auth after 3 at most", r.Err, n)
	}
}

func TestASignedAssertionIsTaken(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	o := newOrg(t, func(c *salesforce.Config) {
		c.ClientSecret, c.PrivateKey, c.Username = "", config.Secret(text), "crmsyncd@example.com"
	})
	if r := o.write(call("1"))[0]; r.Err != nil {
		t.Error(r.Err)
	}
}

func TestSettingsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	good := salesforce.Config{LoginURL: "https://example.my.salesforce.com", ClientID: "app", ClientSecret: "s"}
	for name, change := range map[string]func(*salesforce.Config){
		"login_url":       func(c *salesforce.Config) { c.LoginURL = "http://example.my.salesforce.com" },
		"My Domain":       func(c *salesforce.Config) { c.LoginURL = "https://login.salesforce.com" },
		"is missing":      func(c *salesforce.Config) { c.ClientSecret = "" },
		"not both":        func(c *salesforce.Config) { c.PrivateKey = "x" },
		"PEM":             func(c *salesforce.Config) { c.ClientSecret, c.PrivateKey, c.Username = "", "x", "u" },
		"username":        func(c *salesforce.Config) { c.ClientSecret, c.PrivateKey = "", "x" },
		"api_version":     func(c *salesforce.Config) { c.APIVersion = "68" },
		"duplicate_rules": func(c *salesforce.Config) { c.DuplicateRules = "maybe" },
		"reserve":         func(c *salesforce.Config) { c.Reserve = 100 },
	} {
		cfg := good
		change(&cfg)
		if _, err := salesforce.New(cfg, connectors.Options{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := salesforce.New(good, connectors.Options{}); err != nil {
		t.Errorf("good settings: %v", err)
	}
}
