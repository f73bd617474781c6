package receiver_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/receiver"
)

// raw sends text over a connection of its own and returns every answer until
// the server closes it or a minute passes without one.
func (b *bench) raw(t *testing.T, text string) (answers []*http.Response, closed bool) {
	t.Helper()
	c, err := net.Dial("tcp", b.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	for {
		if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			ne, ok := err.(net.Error)
			return answers, !ok || !ne.Timeout()
		}
		answers = append(answers, res)
		// The rest of an answer may be lost where the server closes on a sender
		// that goes on sending.
		_, _ = io.Copy(io.Discard, res.Body)
	}
}

func TestSendersThatMisbehave(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	sign(t, h, secret, "msg_1", "{}", time.Now())
	var signature strings.Builder
	if err := h.Write(&signature); err != nil {
		t.Fatal(err)
	}
	head := "POST /hooks/telli HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + signature.String()
	second := "POST /hooks/telli HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
	for _, c := range []struct{ name, text, want string }{
		{"a header that never ends", "POST /hooks/telli HTTP/1.1\r\nHost: x\r\n", ""},
		{"a body that stops half-way", head + "Content-Length: 10\r\n\r\n{}", "408 "},
		{"a chunked body that stops half-way", head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", "408 "},
		{"a chunked body", head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "200 "},
		{"a second request behind a chunked body", head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + second, "200 "},
		{"a length beside chunks", head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + second, "200 "},
		{"two lengths", head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "400 "},
		{"a negative length", head + "Content-Length: -2\r\n\r\n{}", "400 "},
		{"an unknown transfer encoding", head + "Transfer-Encoding: gzip, chunked\r\n\r\n", "501 "},
		{"10,000 headers", head + strings.Repeat("X: y\r\n", 10_000) + "Content-Length: 2\r\n\r\n{}", "431 "},
		{"a space before a colon", strings.Replace(head, "Host:", "Host :", 1) + "Content-Length: 2\r\n\r\n{}", "400 "},
		{"a NUL in a header", head + "X: a\x00b\r\nContent-Length: 2\r\n\r\n{}", "400 "},
		{"a doubled slash", strings.Replace(head, "/hooks", "//hooks", 1) + "Content-Length: 2\r\nConnection: close\r\n\r\n{}", "404 "},
		{"a path that climbs", strings.Replace(head, "/hooks", "/hooks/..", 1) + "Content-Length: 2\r\nConnection: close\r\n\r\n{}", "404 "},
		{"the beginning of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "404 "},
		{"100-continue, and then nothing", head + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", "100 408 "},
		{"TRACE", strings.Replace(head, "POST", "TRACE", 1) + "Connection: close\r\n\r\n", "405 "},
		{"two hosts", "POST /hooks/telli HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "400 "},
		{"a huge announced length", head + "Content-Length: 99999999999\r\n\r\n{}", "413 "},
		{"chunks over the limit", head + "Transfer-Encoding: chunked\r\n\r\n11000\r\n" + strings.Repeat(" ", 0x11000) + "\r\n0\r\n\r\n", "413 "},
		{"a header that is too large", head + "X-Big: " + strings.Repeat("x", 40<<10) + "\r\n\r\n", "431 "},
		{"another protocol", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400 "},
		{"something else expected", head + "Expect: tea\r\nContent-Length: 2\r\n\r\n{}", "417 "},
		{"an absolute address", strings.Replace(head, "/hooks/telli", "http://x/hooks/telli", 1) + "Content-Length: 2\r\nConnection: close\r\n\r\n{}", "200 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(o *receiver.Options) {
				// Only who sends no more runs out of time, however busy the machine is.
				o.Limits.HeaderTime, o.Limits.BodyTime, o.Limits.IdleTime = time.Minute, time.Minute, 200*time.Millisecond
				switch {
				case c.want == "":
					o.Limits.HeaderTime = 200 * time.Millisecond
				case strings.HasSuffix(c.want, "408 "), c.name == "a huge announced length":
					o.Limits.BodyTime = 100 * time.Millisecond
				}
			})
			answers, closed := b.raw(t, c.text)
			got := ""
			for _, a := range answers {
				got += fmt.Sprint(a.StatusCode, " ")
			}
			if got != c.want {
				t.Errorf("answers %q, want %q", got, c.want)
			}
			if !closed {
				t.Error("the connection stays open")
			}
			want := 0
			if c.want == "200 " {
				want = 1
			}
			if n := len(b.ledger.kept()); n != want {
				t.Errorf("%d events kept, want %d", n, want)
			}
		})
	}
}

// TestSlowSenders/hundreds who send slowly on purpose keep nobody from being
// served, and are gone soon.
func TestSlowSenders(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *receiver.Options) {
		o.Limits.HeaderTime, o.Limits.BodyTime, o.Limits.IdleTime = 3*time.Second, 3*time.Second, 300*time.Millisecond // a good one has as much
	})
	var slow []net.Conn
	for i := range 300 {
		c, err := net.Dial("tcp", b.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		text := "POST /hooks/telli HTTP/1.1\r\nHost: x\r\nX: " // a header that never ends
		if i%2 == 1 {
			text = "POST /hooks/telli HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{" // a body
		}
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, c)
	}
	h := http.Header{"Content-Type": {"application/json"}}
	sign(t, h, secret, "msg_1", "{}", time.Now())
	if res, text := b.do(t, http.MethodPost, "/hooks/telli", "{}", h); res.StatusCode != http.StatusOK {
		t.Errorf("beside slow senders a good one is answered %d %s", res.StatusCode, text)
	}
	for _, c := range slow {
		if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Fatal("a slow sender's connection is still open")
		}
	}
	if n := len(b.ledger.kept()); n != 1 {
		t.Errorf("%d events kept, want 1", n)
	}
}

func TestConnectionsBeyondTheLimitAreClosedAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *receiver.Options) { o.Limits.Connections = 1 })
	address := b.Listener.Addr().String()
	ask := func(c net.Conn) error {
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			return err
		}
		if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			return err
		}
		_, err := http.ReadResponse(bufio.NewReader(c), nil)
		return err
	}
	one, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	if err := ask(one); err != nil {
		t.Fatal(err)
	}
	two, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	if err := ask(two); err == nil {
		t.Error("the second connection was served")
	} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Error("the second connection hangs")
	}
	if err := ask(one); err != nil {
		t.Errorf("the first connection suffered: %v", err)
	}
}

// TestTooLarge/a sender that writes everything before it reads gets its 413.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(receiver.New(receiver.Options{
		Sources: func() map[string]receiver.Source { return map[string]receiver.Source{"s": {Name: "s"}} },
		Limits:  receiver.Limits{Body: 1 << 20},
	}))
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const size = 4 << 20
	fmt.Fprintf(conn, "POST /hooks/s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", size)
	if _, err := conn.Write(make([]byte, size)); err != nil {
		t.Fatalf("the connection was cut while the body was written: %v", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Fatalf("answer %v, %v; want 413", resp, err)
	}
	resp.Body.Close()
}

// Who only announces a body has none: with 64 requests at a time in each
// connection, few senders would else hold all the memory that bodies may have.
func TestAnnouncedBodiesHoldNoMemory(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *receiver.Options) { o.Limits.Buffered = 1 << 20 })
	for range 40 {
		c, err := net.Dial("tcp", b.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "POST /hooks/telli HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(200 * time.Millisecond) // until all are read
	h := http.Header{"Content-Type": {"application/json"}}
	body := strings.Repeat(" ", 50_000) + "{}"
	sign(t, h, secret, "msg_1", body, time.Now())
	if res, _ := b.do(t, "POST", "/hooks/telli", body, h); res.StatusCode != http.StatusOK {
		t.Errorf("a webhook is answered %s", res.Status)
	}
}
