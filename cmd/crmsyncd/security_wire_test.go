package main

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func threatsOfTheWire() []threat {
	return []threat{
		{id: "T1", what: "begins a header and never ends it", want: "the connection is closed after `limits.header_time` without an answer; others are served meanwhile", long: true, try: func(t *testing.T, a *attacked) {
			c, err := net.Dial("tcp", a.listen)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, "POST /hooks/telli HTTP/1.1\r\nHost: x\r\nX: "); err != nil {
				t.Fatal(err)
			}
			a.gives("beside it", a.signed("{}", newMessageID(), time.Now()), 200, "unknown")
			_ = c.SetDeadline(time.Now().Add(scriptPatience))
			if got, closed := answersOn(c); got != "" || !closed {
				t.Errorf("answers %q, closed %v", got, closed)
			}
		}},
		{id: "T2", what: "sends a body byte by byte, or stops half-way", want: "408 after `limits.body_time`; nothing is kept", long: true, try: func(t *testing.T, a *attacked) {
			a.wire("stops", a.head("{}")+"Content-Length: 10\r\n\r\n{}", "408")
			a.keeps(0, func() {
				c, err := net.Dial("tcp", a.listen)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if _, err := io.WriteString(c, a.head("{}")+"Content-Length: 1000\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				stop := make(chan struct{})
				var trickle sync.WaitGroup
				trickle.Go(func() {
					tick := time.NewTicker(50 * time.Millisecond)
					defer tick.Stop()
					for {
						select {
						case <-stop:
							return
						case <-tick.C:
							if _, err := io.WriteString(c, " "); err != nil {
								return
							}
						}
					}
				})
				_ = c.SetReadDeadline(time.Now().Add(scriptPatience))
				got, closed := answersOn(c)
				close(stop)
				trickle.Wait()
				if got != "408" || !closed {
					t.Errorf("one that trickles: answers %q, closed %v", got, closed)
				}
			})
		}},
		{id: "T3", what: "sends 10,000 headers, or one of 64 kB", want: "431; memory stays as it was", long: true, try: func(t *testing.T, a *attacked) {
			before := residentOf(t, a)
			for range 3 {
				a.wire("many", a.head("{}")+strings.Repeat("X: y\r\n", 10_000)+"\r\n", "431")
				a.wire("large", a.head("{}")+"X: "+strings.Repeat("y", 64<<10)+"\r\n\r\n", "431")
			}
			if more := residentOf(t, a) - before; more > 64<<20 {
				t.Errorf("memory grew by %d MiB", more>>20)
			}
		}},
		{id: "T4", what: "hides a second request behind a length that is told twice", want: "one answer, and the connection is closed; an unknown transfer encoding is 501", try: func(t *testing.T, a *attacked) {
			second := a.head("[]") + "Content-Length: 2\r\n\r\n[]"
			a.wire("length and chunks", a.head("{}")+"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"+second, "200")
			a.wire("chunks alone", a.head("{}")+"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"+second, "200")
			a.wire("unknown encoding", a.head("{}")+"Transfer-Encoding: gzip, chunked\r\n\r\n"+second, "501")
			a.wire("encoding twice", a.head("{}")+"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n"+second, "501")
		}},
		{id: "T5", what: "sends HTTP that two readers would read in two ways", want: "400, closed; nothing is kept", try: func(t *testing.T, a *attacked) {
			head := a.head("{}")
			for what, text := range map[string]string{
				"two lengths":           head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
				"a negative length":     head + "Content-Length: -2\r\n\r\n{}",
				"a length with a sign":  head + "Content-Length: +2\r\n\r\n{}",
				"a space before colon":  strings.Replace(head, "Host:", "Host :", 1) + "Content-Length: 2\r\n\r\n{}",
				"a NUL in a header":     head + "X: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
				"a bare CR in a header": head + "X: a\rb\r\nContent-Length: 2\r\n\r\n{}",
				"two hosts":             strings.Replace(head, "Host: x", "Host: x\r\nHost: y", 1) + "Content-Length: 2\r\n\r\n{}",
				"no host":               strings.Replace(head, "Host: x\r\n", "", 1) + "Content-Length: 2\r\n\r\n{}",
				"a bare LF in a chunk":  head + "Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
				"a chunk too long":      head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n",
			} {
				a.wire(what, text, "400")
			}
		}},
		{id: "T6", what: "folds a header that proves the sender over two lines", want: "never a way in: what was signed is taken at most once, an unsigned body never", try: func(t *testing.T, a *attacked) {
			// Go joins the lines by a space, which no signature survives in its middle.
			head := a.head("{}")
			sig := regexp.MustCompile(`(?i)(-signature: v1,.{10})`)
			a.wire("in the middle of the signature", sig.ReplaceAllString(head, "$1\r\n ")+"Content-Length: 2\r\nConnection: close\r\n\r\n{}", "401")
			a.wire("a length behind a fold", head+"X: y\r\n Content-Length: 9\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", "200")
		}},
		{id: "T7", what: "writes a path that a server would tidy up: `//hooks/x`, `/hooks/../x`, a slash at the end", want: "404, never a redirect that no sender follows; the log names the path that was meant", try: func(t *testing.T, a *attacked) {
			for _, path := range []string{"//hooks/telli", "/hooks/../hooks/telli", "/hooks/telli/", "/hooks//telli", "/hooks/./telli", "/Hooks/telli", "/hook/telli", "/hooks/telli;x", "/hooks/telli%2f", "/hooks"} {
				a.wire(path, strings.Replace(a.head("{}"), "/hooks/telli", path, 1)+"Content-Length: 2\r\nConnection: close\r\n\r\n{}", "404")
			}
			a.says(`belong to /hooks/telli`)
		}},
		{id: "T8", what: "climbs out of a folder by `%2e%2e%2f`, `%00` or 8 kB of name", want: "404; a name is never a file", try: func(t *testing.T, a *attacked) {
			before := names(t, a.dir)
			for _, path := range []string{"/hooks/%2e%2e%2fconfig.yaml", "/hooks/telli%00", "/hooks/phones/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/hooks/phones/..%5c..%5cboot.ini", "/hooks/" + strings.Repeat("a", 8<<10), "/%2e%2e/%2e%2e/etc/passwd", "/config.yaml", "/data/ledger.db"} {
				want := "404"
				if strings.HasPrefix(path, "/hooks/phones/..%5c") {
					want = "401" // a wrong token, as any other
				}
				a.wire(path[:min(len(path), 40)], strings.Replace(a.head("{}"), "/hooks/telli", path, 1)+"Content-Length: 2\r\nConnection: close\r\n\r\n{}", want)
			}
			if after := names(t, a.dir); after != before {
				t.Errorf("files were made: %s, before %s", after, before)
			}
		}},
		{id: "T9", what: "sends more than a source takes", want: "413, counted; each source has its own limit", long: true, try: func(t *testing.T, a *attacked) {
			a.wire("announced", a.head("{}")+"Content-Length: 99999999999\r\n\r\n{}", "413")
			a.wire("of 9 MB", a.head("{}")+fmt.Sprintf("Content-Length: %d\r\n\r\n", 9<<20)+strings.Repeat(" ", 9<<20), "413")
			a.wire("in chunks", strings.Replace(a.head("{}"), "/hooks/telli", "/hooks/phones/"+pathToken, 1)+"Transfer-Encoding: chunked\r\n\r\n600\r\n"+strings.Repeat(" ", 0x600)+"\r\n0\r\n\r\n", "413")
			if m := a.metrics(); !strings.Contains(m, `reason="too_large",result="refused",source="telli"} 2`) {
				t.Errorf("it is not counted:\n%s", grep(m, "too_large"))
			}
		}},
		{id: "T10", what: "sends a gzip bomb", want: "415: nothing is ever unpacked", try: func(t *testing.T, a *attacked) {
			bomb := string(gzipOf(64 << 20))
			a.keeps(0, func() {
				for _, encoding := range []string{"gzip", "identity, gzip", "br", "x"} {
					req := a.signed(bomb, newMessageID(), time.Now())
					req.Header.Set("Content-Encoding", encoding)
					a.gives(encoding, req, 415, "error")
				}
			})
		}},
		{id: "T11", what: "promises a body and sends none, or expects tea", want: "408; 417", long: true, try: func(t *testing.T, a *attacked) {
			a.wire("100-continue", a.head("{}")+"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", "100 408")
			a.wire("tea", a.head("{}")+"Expect: tea\r\nContent-Length: 2\r\n\r\n{}", "417")
		}},
		{id: "T12", what: "opens hundreds of connections and says nothing", want: "those over `limits.connections_per_address` are closed at once; others are served, and the idle ones end", long: true, try: func(t *testing.T, a *attacked) {
			from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 3)}}
			var open []net.Conn
			for range 300 {
				c, err := from.Dial("tcp", a.listen)
				if err != nil {
					t.Skipf("no second address on this machine: %v", err)
				}
				defer c.Close()
				open = append(open, c)
			}
			a.gives("beside them", a.signed("{}", newMessageID(), time.Now()), 200, "unknown")
			for _, c := range open {
				_ = c.SetReadDeadline(time.Now().Add(scriptPatience))
				if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal("a connection that says nothing stays open")
				}
			}
			if m := a.metrics(); strings.Contains(m, `crmsyncd_connections_refused_total{reason="address"} 0`) {
				t.Error("none was refused for its address")
			}
		}},
		{id: "T13", what: "opens and resets streams of HTTP/2 by the thousand, or sends CONTINUATION without end", want: "memory stays, others are served; a header without end closes the connection; HTTP/2 without TLS is refused", long: true, try: func(t *testing.T, shared *attacked) {
			shared.wire("the preface on the plain port", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "404")
			a := withTLS(t)
			before := residentOf(t, a)
			t.Logf("the connection took %d resets", a.rapidReset(50_000))
			if closed := a.continuations(20_000); !closed {
				t.Error("20,000 CONTINUATION frames were taken")
			}
			if more := residentOf(t, a) - before; more > 128<<20 {
				t.Errorf("memory grew by %d MiB", more>>20)
			}
			if !a.aliveTLS() {
				t.Error("others are not served any more")
			}
		}},
		{id: "T14", what: "speaks TLS to the plain port, or plain HTTP to that of TLS", want: "400, closed; TLS older than 1.2 is refused", long: true, try: func(t *testing.T, shared *attacked) {
			shared.wire("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400")
			a := withTLS(t)
			if got, closed := a.raw(a.listen, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); got != "400" || !closed {
				t.Errorf("plain on TLS: answers %q, closed %v", got, closed)
			}
			if c, err := tls.Dial("tcp", a.listen, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil {
				c.Close()
				t.Error("TLS 1.1 was taken")
			}
		}},
		{id: "T15", what: "sends a burst of signed webhooks, more than the disk takes", want: "200 or 503 with `Retry-After`, nothing else; what was answered 200 is kept, once", long: true, try: func(t *testing.T, _ *attacked) {
			a := newAttacked(t, "")
			const senders, each = 32, 150
			var mu sync.Mutex
			kept, late, slowest := 0, 0, time.Duration(0)
			var all sync.WaitGroup
			for range senders {
				all.Go(func() {
					for range each {
						begun := time.Now()
						status, body, h := a.do(a.signed(`{"event": "other"}`, newMessageID(), time.Now()))
						took := time.Since(begun)
						mu.Lock()
						slowest = max(slowest, took)
						switch {
						case status == 200:
							kept++
						case status == 503 && h.Get("Retry-After") == isLate:
							late++ // it may be kept all the same
						case status == 503 && h.Get("Retry-After") != "":
						default:
							t.Errorf("answered %d %s", status, body)
						}
						mu.Unlock()
					}
				})
			}
			all.Wait()
			t.Logf("%d of %d taken, the slowest in %v", kept, senders*each, slowest.Round(time.Millisecond))
			if got := int(a.status().Events); got < kept || got > kept+late {
				t.Errorf("%d events are kept of %d acknowledged", got, kept)
			}
		}},
		{id: "T16", what: "uses another method than POST", want: "405 with `Allow: POST`", try: func(t *testing.T, a *attacked) {
			a.keeps(0, func() {
				for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"} {
					req := a.signed("{}", newMessageID(), time.Now())
					req.Method = method
					if status, _, h := a.do(req); status != 405 || h.Get("Allow") != "POST" {
						t.Errorf("%s: answered %d, Allow %q", method, status, h.Get("Allow"))
					}
				}
				if got, _ := a.raw(a.listen, "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\nConnection: close\r\n\r\n"); got != "404" && got != "405" {
					t.Errorf("CONNECT: answered %s", got)
				}
			})
		}},
	}
}

func grep(text, word string) (out string) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			out += line
		}
	}
	return out
}

// names are the files of a folder.
func names(t *testing.T, dir string) (out string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		out += e.Name() + " "
	}
	return out
}

func (a *attacked) metrics() string {
	a.t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+a.private+"/metrics", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	_, body, _ := a.do(req)
	return body
}

// residentOf is how much memory the daemon has, in bytes.
func residentOf(t *testing.T, a *attacked) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", a.cmd.Process.Pid))
	if err != nil {
		t.Skipf("this machine does not tell: %v", err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// withTLS is a daemon whose public port speaks TLS.
func withTLS(t *testing.T) *attacked {
	t.Helper()
	a := prepareAttacked(t, "tls: {cert: cert.pem, key: key.pem}\n")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(a.dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a.begin()
	return a
}

func (a *attacked) aliveTLS() bool {
	c := http.Client{Timeout: scriptPatience, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := c.Get("https://" + a.listen + "/healthz")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// frames opens a connection of HTTP/2 and returns what writes frames to it, and
// what is closed when the daemon has ended it.
func (a *attacked) frames() (c *tls.Conn, frame func(kind, flags byte, stream uint32, payload []byte) error, ended chan struct{}) {
	a.t.Helper()
	c, err := tls.Dial("tcp", a.listen, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		a.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(scriptPatience))
	if _, err := io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); err != nil {
		a.t.Fatal(err)
	}
	frame = func(kind, flags byte, stream uint32, payload []byte) error {
		h := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
		h = binary.BigEndian.AppendUint32(append(h, flags), stream)
		_, err := c.Write(append(h, payload...))
		return err
	}
	if err := frame(4, 0, 0, nil); err != nil { // SETTINGS
		a.t.Fatal(err)
	}
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, c) // else the daemon's answers would fill the line
	}()
	return c, frame, ended
}

// plainHeader writes a header in HPACK without tables.
func plainHeader(pairs ...string) []byte {
	var b []byte
	for i := 0; i < len(pairs); i += 2 {
		b = append(append(b, 0, byte(len(pairs[i]))), pairs[i]...)
		b = append(append(b, byte(len(pairs[i+1]))), pairs[i+1]...)
	}
	return b
}

// rapidReset opens streams and resets each at once, until the daemon closes.
func (a *attacked) rapidReset(streams int) (sent int) {
	c, frame, _ := a.frames()
	defer c.Close()
	h := plainHeader(":method", "POST", ":scheme", "https", ":authority", "x", ":path", "/hooks/telli")
	for sent = range streams {
		id := uint32(2*sent + 1)
		if frame(1, 4, id, h) != nil || frame(3, 0, id, []byte{0, 0, 0, 8}) != nil { // HEADERS, RST_STREAM
			return sent
		}
	}
	return streams
}

// continuations begins a header and never ends it; the daemon is to end the
// connection.
func (a *attacked) continuations(most int) (closed bool) {
	c, frame, ended := a.frames()
	defer c.Close()
	if frame(1, 0, 1, plainHeader(":method", "POST", ":scheme", "https", ":authority", "x", ":path", "/")) != nil {
		return true
	}
	for range most {
		if frame(9, 0, 1, plainHeader("x", strings.Repeat("y", 100))) != nil { // CONTINUATION
			return true
		}
	}
	select {
	case <-ended:
		return true
	case <-time.After(scriptPatience / 2): // before the deadline of c ends it
		return false
	}
}

// gzipOf is a gzip of that many zeros.
func gzipOf(size int) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for range size >> 20 {
		_, _ = z.Write(make([]byte, 1<<20))
	}
	_ = z.Close()
	return b.Bytes()
}
