package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/doctor"
)

// onDisk is what the doctor finds of a data directory that is a small disk of
// its own, made with these options of tmpfs and prepared by a line of shell.
func onDisk(t *testing.T, options, prepare string) []doctor.Finding {
	t.Helper()
	namespace, dir := mounting(t), t.TempDir()
	settle(t, dir, plainSettings(""))
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	return examined(t, dir, append(namespace, "sh", "-ec", `mount -t tmpfs -o "$0,mode=700" t data; `+prepare+`; exec "$@"`, options)...)
}

// mounting is a command that runs another where it may mount what nobody else
// sees.
func mounting(t *testing.T) []string {
	t.Helper()
	namespace := []string{"unshare", "-m"}
	if os.Getuid() != 0 {
		namespace = []string{"unshare", "-rm"}
	}
	if out, err := exec.Command(namespace[0], append(namespace[1:], "mount", "-t", "tmpfs", "t", "/mnt")...).CombinedOutput(); err != nil {
		t.Skipf("nothing can be mounted here: %v: %s", err, out)
	}
	return namespace
}

// traced is what the doctor finds where strace meddles with its system calls.
func traced(t *testing.T, meddle string) []doctor.Finding {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("there is no strace")
	}
	if out, err := exec.Command("strace", "-o", "/dev/null", "true").CombinedOutput(); err != nil {
		t.Skipf("strace may not trace: %s", out)
	}
	dir := t.TempDir()
	settle(t, dir, plainSettings(""))
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	return examined(t, dir, "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,pwrite64", "-e", "inject="+meddle, "--")
}

var machineAilments = []ailment{
	{"a disk with much space", []string{"disk-space", "disk-speed"}, func(t *testing.T, s *stage) {
		s.saw(onDisk(t, "size=3g", "true")...)
	}},
	{"a disk with little space", []string{"disk-little"}, func(t *testing.T, s *stage) {
		s.has(onDisk(t, "size=500m", "true"), "disk-little", "500 MiB free")
	}},
	{"a disk that is as good as full", []string{"disk-full"}, func(t *testing.T, s *stage) {
		s.has(onDisk(t, "size=32m", "true"), "disk-full", "webhooks are answered 503 soon")
	}},
	{"a disk that is full", []string{"disk-nothing-left"}, func(t *testing.T, s *stage) {
		s.has(onDisk(t, "size=1m", "head -c 2000000 /dev/zero >data/x || true"), "disk-nothing-left", "make space; df -h")
	}},
	{"a disk with no room for another file", []string{"disk-nothing-left"}, func(t *testing.T, s *stage) {
		s.has(onDisk(t, "size=1m,nr_inodes=3", "touch data/x data/y || true"), "disk-nothing-left", "df -i")
	}},
	{"a disk that is read-only", []string{"disk-read-only"}, func(t *testing.T, s *stage) {
		s.has(onDisk(t, "size=100m,ro", "true"), "disk-read-only", "mount it writable")
	}},
	{"a disk that fails", []string{"disk-write-failed"}, func(t *testing.T, s *stage) {
		s.has(traced(t, "fsync:error=EIO"), "disk-write-failed", "journalctl -k")
	}},
	{"a slow disk", []string{"disk-slow"}, func(t *testing.T, s *stage) {
		s.has(traced(t, "fsync:delay_enter=80000"), "disk-slow", "a webhook waits for two")
	}},
	{"a disk that is too slow", []string{"disk-useless"}, func(t *testing.T, s *stage) {
		s.has(traced(t, "fsync:delay_enter=1050000"), "disk-useless", "senders give up before that")
	}},
	{"folders", []string{"disk-less-than-ledger", "disk-unbounded", "folder-missing", "folder-unseen"}, func(t *testing.T, s *stage) {
		dir := t.TempDir()
		s.has([]doctor.Finding{doctor.Space(dir, math.MaxInt64/2)}, "disk-less-than-ledger", "ledger backup")
		s.has([]doctor.Finding{doctor.Space("/proc", 0)}, "disk-unbounded", "no bounds")
		s.has([]doctor.Finding{doctor.Space(filepath.Join(dir, "none"), 0), doctor.SyncSpeed(filepath.Join(dir, "none"))}, "folder-missing", "the first start")
		s.has([]doctor.Finding{doctor.Space(loop(t, dir), 0), doctor.SyncSpeed(loop(t, dir))}, "folder-unseen", "as root")
	}},
	{"files that others may read", []string{"file-open", "file-closed", "file-unseen"}, func(t *testing.T, s *stage) {
		dir := t.TempDir()
		settle(t, dir, plainSettings(""))
		path := filepath.Join(dir, "secrets.env")
		for mode, id := range map[os.FileMode]string{0o600: "file-closed", 0o640: "file-closed", 0o644: "file-open"} {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			s.has(examined(t, dir), id, "secrets.env")
		}
		s.has(doctor.Private(loop(t, dir)), "file-unseen", "as root")
	}},
	{"too few files that may be open", []string{"open-files-few", "open-files-used-up"}, func(t *testing.T, s *stage) {
		dir := t.TempDir()
		settle(t, dir, plainSettings(""))
		p, socket := limited(t, dir, "200"), filepath.Join(dir, "admin.sock")
		if _, err := readyAt("unix:" + socket); err != nil {
			t.Fatalf("%v\n%s", err, p.err.String())
		}
		s.has(examined(t, dir), "open-files-few", "LimitNOFILE=")
		at, err := admin.NewClient("unix:" + socket).Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 185 - at.OpenFiles {
			c, err := net.Dial("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			// One that was asked something stays open for a minute.
			if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		s.has(examined(t, dir), "open-files-used-up", "LimitNOFILE=")
	}},
	{"files enough", []string{"open-files", "open-files-unbounded"}, func(t *testing.T, s *stage) {
		s.saw(doctor.OpenFiles(20, 65536, 2048), doctor.OpenFiles(20, 0, 2048))
	}},
	{"systemd's units", []string{"unit-missing", "unit-not-at-boot", "socket-not-at-boot", "unit"}, func(t *testing.T, s *stage) {
		root := t.TempDir()
		for _, step := range []struct{ path, id, text string }{
			{"run/systemd/system/x", "unit-missing", "install the package"},
			{"usr/lib/systemd/system/crmsyncd.service", "unit-not-at-boot", "systemctl enable --now crmsyncd"},
			{"etc/systemd/system/multi-user.target.wants/crmsyncd.service", "socket-not-at-boot", "systemctl enable --now crmsyncd.socket"},
			{"etc/systemd/system/sockets.target.wants/crmsyncd.socket", "unit", ""},
		} {
			path := filepath.Join(root, step.path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			s.has(doctor.Unit(root), step.id, step.text)
		}
	}},
}

// loop is a path at which nothing can be looked, by whomever.
func loop(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "loop")
	if err := os.Symlink(path, path); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	return filepath.Join(path, "in")
}

// limited is a daemon that may have so many files open.
func limited(t *testing.T, dir, most string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "limited")
	if err := os.WriteFile(bin, []byte("#!/bin/sh\nulimit -n "+most+"\nexec '"+self+"' \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, dir: dir, bin: bin}
	p.start()
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	return p
}

var networkAilments = []ailment{
	{"addresses and names", []string{"address-wrong", "name-unresolved", "unconnected", "no-tls", "no-answer"}, func(t *testing.T, s *stage) {
		reach := func(address string) []doctor.Finding {
			return doctor.Network{Proxy: direct}.Reach(t.Context(), "connector crm", address)
		}
		s.has(reach("://"), "address-wrong", "https://host")
		s.has(reach("https://no.such.name.invalid"), "name-unresolved", "getent hosts no.such.name.invalid")
		s.has(reach("https://127.0.0.1:1"), "unconnected", "open the firewall")
		plain := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(plain.Close)
		s.has(reach("https://"+plain.Listener.Addr().String()), "no-tls", "compare scheme and port")
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_ = c.Close()
			}
		}()
		s.has(reach("https://"+l.Addr().String()), "no-answer", "a firewall or proxy")
	}},
	{"certificates", []string{"certificate-expired", "certificate-other-name", "certificate-untrusted", "certificate-ends", "answers"}, func(t *testing.T, s *stage) {
		for _, c := range []struct {
			id, text, name string
			life           time.Duration
			trust          bool
		}{
			{"certificate-expired", "compare this machine's date", "localhost", -time.Minute, true},
			{"certificate-other-name", "compare the host in base_url", "other.example.com", time.Hour, true},
			{"certificate-untrusted", "ca-certificates", "localhost", time.Hour, false},
			{"certificate-ends", "tell who runs it", "localhost", 24 * time.Hour, true},
			{"answers", "answers", "localhost", 90 * 24 * time.Hour, true},
		} {
			dir := t.TempDir()
			believed := certify(t, dir, c.life, c.name)
			pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
			if err != nil {
				t.Fatal(err)
			}
			api := httptest.NewUnstartedServer(http.NotFoundHandler())
			api.Config.ErrorLog = log.New(io.Discard, "", 0)
			api.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
			api.StartTLS()
			t.Cleanup(api.Close)
			roots := x509.NewCertPool()
			if c.trust {
				roots = believed.RootCAs
			}
			_, port, err := net.SplitHostPort(api.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			n := doctor.Network{Proxy: direct, TLS: &tls.Config{RootCAs: roots}}
			s.has(n.Reach(t.Context(), "connector crm", "https://localhost:"+port), c.id, c.text)
		}
	}},
	{"clocks", []string{"clock", "clock-off", "clock-wrong"}, func(t *testing.T, s *stage) {
		for id, behind := range map[string]time.Duration{"clock": 0, "clock-off": 2 * time.Minute, "clock-wrong": -20 * time.Minute} {
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", time.Now().Add(-behind).UTC().Format(http.TimeFormat))
			}))
			t.Cleanup(api.Close)
			s.has(doctor.Network{Proxy: direct}.Reach(t.Context(), "connector crm", api.URL), id, "clock")
		}
	}},
}

func direct(*http.Request) (*url.URL, error) { return nil, nil }
