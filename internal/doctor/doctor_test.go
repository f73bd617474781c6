package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func direct(*http.Request) (*url.URL, error) { return nil, nil }

// want checks that one of findings has a state and holds a text, and that each
// that is not ok says how to mend it.
func want(t *testing.T, findings []Finding, state State, text string) {
	t.Helper()
	hit := false
	for _, f := range findings {
		hit = hit || f.State == state && strings.Contains(f.About+": "+f.What, text)
		if (f.State == OK) != (f.Mend == "") {
			t.Errorf("%+v: want a mend where it is not ok, and only there", f)
		}
	}
	if !hit {
		t.Errorf("got %+v, want %s with %q", findings, state, text)
	}
}

func TestDisk(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	for name, c := range map[string]struct {
		free, need int64
		state      State
		text       string
	}{
		"much":                              {100 * gib, gib, OK, "100 GiB free"},
		"no more than the ledger has":       {5 * gib, 5 * gib, Warn, "too little for a second ledger"},
		"little":                            {900 << 20, 1 << 20, Warn, "900 MiB free"},
		"as good as full":                   {30 << 20, 1 << 20, Fail, "30 MiB free"},
		"as good as full, no need":          {0, 0, Fail, "0 MiB free"},
		"a little more than the ledger has": {2*gib + 64<<20, 2 * gib, OK, "2112 MiB free"},
	} {
		t.Run(name, func(t *testing.T) { want(t, []Finding{space("/x", c.free, c.need)}, c.state, c.text) })
	}
	want(t, []Finding{speed(2 * time.Millisecond)}, OK, "2ms")
	want(t, []Finding{speed(80 * time.Millisecond)}, Warn, "80ms")
	want(t, []Finding{speed(2 * time.Second)}, Fail, "2s")
	want(t, []Finding{Space(filepath.Join(t.TempDir(), "none"), 0)}, Warn, "does not exist yet")
	dir := t.TempDir()
	if f := SyncSpeed(dir); !strings.Contains(f.What, "safe on disk after") {
		t.Errorf("got %+v", f)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("SyncSpeed left %v behind", left)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.env")
	if got := Private(path); got != nil {
		t.Errorf("of what is not there: %+v", got)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, Private(path), OK, "closed to other users")
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	want(t, Private(path), Fail, "open to every user")
	want(t, []Finding{OpenFiles(20, 65536, 2048)}, OK, "20 of 65536")
	want(t, []Finding{OpenFiles(20, 1024, 2048)}, Warn, "too few for limits.connections")
	want(t, []Finding{OpenFiles(1000, 1024, 100)}, Fail, "1000 of 1024")
}

func TestUnit(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	add := func(path string) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := Unit(root); got != nil {
		t.Errorf("without systemd: %+v", got)
	}
	add("run/systemd/system/x")
	want(t, Unit(root), Warn, "there is no crmsyncd.service")
	add("usr/lib/systemd/system/crmsyncd.service")
	want(t, Unit(root), Warn, "does not start at boot")
	add("etc/systemd/system/multi-user.target.wants/crmsyncd.service")
	want(t, Unit(root), Warn, "senders may be refused")
	add("etc/systemd/system/sockets.target.wants/crmsyncd.socket")
	want(t, Unit(root), OK, "start at boot")
}

func TestReach(t *testing.T) {
	t.Parallel()
	api := httptest.NewUnstartedServer(http.NotFoundHandler())
	api.Config.ErrorLog = log.New(io.Discard, "", 0)
	api.StartTLS()
	t.Cleanup(api.Close)
	pool := x509.NewCertPool()
	pool.AddCert(api.Certificate())
	trusted := Network{Proxy: direct, TLS: &tls.Config{RootCAs: pool}}
	reach := func(n Network, address string) []Finding { return n.Reach(t.Context(), "connector x", address) }

	want(t, reach(trusted, api.URL), OK, "answers")
	want(t, reach(trusted, api.URL), OK, "clock")
	want(t, reach(Network{Proxy: direct}, api.URL), Fail, "authority that this machine does not trust")
	want(t, reach(trusted, "http://"+api.Listener.Addr().String()), OK, "answers") // Go's server says 400 in the clear
	want(t, reach(trusted, "https://127.0.0.1:1"), Fail, "cannot be connected to at port 1")
	want(t, reach(trusted, "https://no.such.name.invalid"), Fail, "cannot be resolved")
	want(t, reach(trusted, "://"), Fail, "no address")

	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	want(t, reach(trusted, "https://"+plain.Listener.Addr().String()), Fail, "it does not speak TLS")

	late := trusted
	late.Now = func() time.Time { return time.Now().Add(time.Hour) }
	want(t, reach(late, api.URL), Fail, "ahead of")
	ending := trusted
	ending.Now = func() time.Time { return api.Certificate().NotAfter.Add(-time.Hour) }
	want(t, reach(ending, api.URL), Warn, "its certificate ends at")

	proxy := trusted
	proxy.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse("http://user:hunter2@127.0.0.1:1") }
	got := reach(proxy, api.URL)
	want(t, got, Fail, "the proxy 127.0.0.1:1")
	if strings.Contains(got[0].What, "hunter2") {
		t.Errorf("the proxy's password is shown: %+v", got)
	}
}

func TestSkew(t *testing.T) {
	t.Parallel()
	want(t, []Finding{Skew(time.Second, "x")}, OK, "clock")
	want(t, []Finding{Skew(-time.Minute, "x")}, Warn, "1m0s behind")
	want(t, []Finding{Skew(6*time.Minute, "x")}, Fail, "signed webhooks are refused")
}
