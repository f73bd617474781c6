package httpx

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestGivenUp has a vendor that reads nothing but the first byte until its
// request was given up. What the system had not brought to it by then must not
// come any more.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const body = 64 << 20 // more than the system's buffers hold
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	done := make(chan error, 1)
	go func() {
		_, err := client(t, Options{BaseURL: "http://" + l.Addr().String()}).Do(ctx, Request{Method: http.MethodPost, Path: "/", Body: strings.Repeat("x", body)})
		done <- err
	}()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	giveUp()
	if err := <-done; err == nil {
		t.Fatal("it was answered")
	}
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	n, err := io.Copy(io.Discard, conn)
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the vendor read %d bytes and %v, want the connection reset", n, err)
	}
}

// TestPings says why the times of pings are what they are.
func TestPings(t *testing.T) {
	t.Parallel()
	if p := pooled().HTTP2; p.SendPingTimeout+p.PingTimeout >= DefaultTimeout {
		t.Errorf("a dead connection is closed after %v, and a request given up after %v", p.SendPingTimeout+p.PingTimeout, DefaultTimeout)
	}
}
