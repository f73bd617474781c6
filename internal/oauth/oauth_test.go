package oauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

// disk is a Vault whose process can die.
type disk struct {
	mu    sync.Mutex
	turn  sync.Mutex
	value []byte
	saves int
	die   point // at the next Update
}

// point is where the process dies within an Update.
type point string

const (
	nowhere   point = ""
	beforeAsk point = "before the vendor is asked"
	unsaved   point = "between the vendor's answer and the saving"
	saved     point = "between the saving and the use"
)

var points = []point{nowhere, beforeAsk, unsaved, saved}

var errDied = errors.New("the process died")

func (d *disk) Load(context.Context) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.value, nil
}

func (d *disk) Update(ctx context.Context, change func(context.Context, []byte) ([]byte, error)) error {
	d.turn.Lock()
	defer d.turn.Unlock()
	old, _ := d.Load(ctx)
	die := d.die
	d.die = nowhere
	if die == beforeAsk {
		return errDied
	}
	value, err := change(ctx, old)
	if err != nil || bytes.Equal(value, old) {
		return err
	}
	if die == unsaved {
		return errDied
	}
	d.mu.Lock()
	d.value = value
	d.saves++
	d.mu.Unlock()
	if die == saved {
		return errDied
	}
	return nil
}

// vendor is one emulated vendor and what is needed to reach it.
type vendor struct {
	t      testing.TB
	name   string
	box    *sandbox.Sandbox
	server *httptest.Server
	disk   *disk
	mu     sync.Mutex
	ahead  time.Duration // of the vendor's clock
}

const secret = "client-secret-hunter2"

var vendorNames = []string{"hubspot", "pipedrive", "airtable"}

func newVendor(t testing.TB, name string, grace time.Duration) *vendor {
	v := &vendor{t: t, name: name, disk: &disk{}}
	v.box = sandbox.New(sandbox.Options{Unlimited: true, RefreshGrace: grace, Now: func() time.Time {
		v.mu.Lock()
		defer v.mu.Unlock()
		return time.Now().Add(v.ahead)
	}})
	v.server = httptest.NewServer(v.box)
	t.Cleanup(v.server.Close)
	return v
}

// start is what a start of the daemon makes of the vault.
func (v *vendor) start() *Source {
	base := v.server.URL + "/" + v.name
	p := Provider{Vendor: "Acme", Connector: "acme", ClientID: "app-1", ClientSecret: secret, Vault: v.disk, Scopes: []string{"all"}}
	switch v.name {
	case "hubspot":
		p.AuthorizeURL, p.TokenURL = base+"/oauth/authorize", base+"/oauth/2026-09/token"
	case "pipedrive":
		p.AuthorizeURL, p.TokenURL, p.Basic = base+"/oauth/authorize", base+"/oauth/token", true
	case "airtable":
		p.AuthorizeURL, p.TokenURL, p.Basic, p.Proof = base+"/oauth2/v1/authorize", base+"/oauth2/v1/token", true, true
	}
	s, err := New(p)
	if err != nil {
		v.t.Fatal(err)
	}
	s.Ask(func(context.Context) (string, *connectors.Error) { return "account 1", nil })
	return s
}

// visit opens a page as a browser does, and returns the query of the address
// that it is sent to.
func (v *vendor) visit(page string) url.Values {
	v.t.Helper()
	r, err := http.DefaultTransport.RoundTrip(newGet(page))
	if err != nil {
		v.t.Fatal(err)
	}
	defer r.Body.Close()
	to, err := r.Location()
	if err != nil {
		v.t.Fatalf("the page answered %s and leads nowhere", r.Status)
	}
	return to.Query()
}

const redirect = "http://localhost:8789/callback"

func (v *vendor) consent(s *Source) {
	v.t.Helper()
	a := s.Begin(redirect)
	q := v.visit(a.Page)
	if q.Get("state") != a.State || q.Get("code") == "" {
		v.t.Fatalf("the vendor answered %v, want a code", q)
	}
	if g, err := s.Grant(v.t.Context(), a, q.Get("code")); err != nil || g.Account != "account 1" {
		v.t.Fatalf("got %+v %v, want the account", g, err)
	}
}

// expire makes the access token at hand one that is to be replaced.
func (v *vendor) expire(s *Source) {
	v.t.Helper()
	t, err := s.load(v.t.Context())
	if err != nil {
		v.t.Fatal(err)
	}
	t.Until = time.Now().Add(-time.Second)
	if v.disk.value, err = s.seal(t); err != nil {
		v.t.Fatal(err)
	}
}

// outdate has the vendor's clock go on until its tokens are over.
func (v *vendor) outdate() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ahead += 2 * time.Hour
}

// call sends an API request that must not be sent twice if it was applied.
func (v *vendor) call(s *Source) error {
	client, err := httpx.New(httpx.Options{BaseURL: v.server.URL + "/" + v.name, Auth: s})
	if err != nil {
		v.t.Fatal(err)
	}
	path := map[string]string{"hubspot": "/crm/v3/objects/contacts", "pipedrive": "/v1/users", "airtable": "/v0/meta/whoami"}[v.name]
	r, err := client.Do(v.t.Context(), httpx.Request{Method: http.MethodGet, Path: path})
	if err == nil && r.Status != http.StatusOK {
		err = fmt.Errorf("answered %d", r.Status)
	}
	return err
}

func (v *vendor) tokenRequests() (n int) {
	for _, r := range v.box.Requests(v.name) {
		if strings.HasSuffix(r.Path, "/token") {
			n++
		}
	}
	return n
}

func (v *vendor) fault(json string) {
	v.t.Helper()
	r, err := http.Post(v.server.URL+"/_/faults", "application/json", strings.NewReader(json))
	if err != nil || r.StatusCode != http.StatusOK {
		v.t.Fatal(r, err)
	}
	r.Body.Close()
}

func eachVendor(t *testing.T, run func(*testing.T, string)) {
	for _, name := range vendorNames {
		t.Run(name, func(t *testing.T) { t.Parallel(); run(t, name) })
	}
}

func kindOf(err error) connectors.Kind { return connectors.AsError(err).Kind }

func newGet(address string) *http.Request {
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		panic(err)
	}
	return r
}
