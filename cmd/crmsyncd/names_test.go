package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/url"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

// testResolver is the environment variable by which a test has crmsyncd ask a
// name server of the test's.
const testResolver = "CRMSYNCD_TEST_RESOLVER"

// resolveAt has all names of this process asked for at an address.
func resolveAt(address string) {
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", address)
	}}
}

// A kind of questions, and answers of a name server (RFC 1035, 3596).
const (
	askAAAA = 28

	answersNormally = 0
	answersSERVFAIL = 2
	answersNXDOMAIN = 3
	answersNot      = 255 // of ours
)

// loopbackNames is a name server that knows one name: 127.0.0.1, and where it has one its IPv6 address.
type loopbackNames struct {
	address string
	rcode   atomic.Int32
	six     net.IP
	asked   atomic.Int32
}

func newLoopbackNames(t *testing.T, six net.IP) *loopbackNames {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	n := &loopbackNames{address: conn.LocalAddr().String(), six: six}
	go func() {
		b := make([]byte, 1500)
		for {
			size, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			n.asked.Add(1)
			if a := n.answer(b[:size]); a != nil {
				_, _ = conn.WriteTo(a, from)
			}
		}
	}()
	return n
}

func (n *loopbackNames) answer(q []byte) []byte {
	end := 12 + bytes.IndexByte(q[min(12, len(q)):], 0) + 1 + 4 // header; name, its end, kind and class
	rcode := n.rcode.Load()
	if end < 17 || end > len(q) || rcode == answersNot {
		return nil
	}
	a := append([]byte(nil), q[:end]...)
	binary.BigEndian.PutUint16(a[2:], 0x8180|uint16(rcode)) // an answer, recursion wanted and had
	copy(a[4:], []byte{0, 1, 0, 0, 0, 0, 0, 0})             // one question, nothing more yet
	ip := net.IPv4(127, 0, 0, 1).To4()
	if binary.BigEndian.Uint16(q[end-4:]) == askAAAA {
		ip = n.six
	}
	if rcode == answersNormally && ip != nil {
		a[7] = 1
		a = append(a, 0xc0, 12) // the name of the question
		a = append(a, q[end-4:end]...)
		a = append(a, 0, 0, 0, 0, 0, byte(len(ip))) // to be forgotten at once
		a = append(a, ip...)
	}
	return a
}

// named has the daemon reach its CRMs by a name that only this server knows.
func (s *struck) named(n *loopbackNames) {
	s.t.Helper()
	u, err := url.Parse(s.crm)
	if err != nil {
		s.t.Fatal(err)
	}
	s.settings("//"+u.Host, "//crm.test:"+u.Port())
	s.env = append(s.env, testResolver+"="+n.address)
}

// TestNames/a CRM whose name cannot be resolved is an outage like any other.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		rcode int32
		slow  bool
	}{
		{"a name server that fails", answersSERVFAIL, false},
		{"a name that is not there", answersNXDOMAIN, false},
		{"a name server that does not answer", answersNot, true}, // Go's resolver asks for 20 s
	} {
		t.Run(c.name+" costs no attempts, and all goes out by itself afterwards", func(t *testing.T) {
			if c.slow && os.Getenv("FAULTS") == "" {
				t.Skip("FAULTS is not set")
			}
			t.Parallel()
			s, n := newStruck(t), newLoopbackNames(t, nil)
			s.named(n)
			n.rcode.Store(c.rcode)
			s.up()
			s.accepts(5)
			client := admin.NewClient(s.private)
			paused := map[string]bool{} // not at one time: they are tried in between
			s.until("paused", func() bool {
				st, err := client.Status(t.Context())
				for _, c := range st.Connectors {
					if c.State == "paused" {
						paused[c.Name] = true
					}
				}
				return err == nil && len(paused) == 2
			})
			asked, began := n.asked.Load(), time.Now()
			time.Sleep(2 * time.Second)
			if more, took := n.asked.Load()-asked, time.Since(began); float64(more) > 30*took.Seconds() {
				t.Errorf("it asked %d times in %v", more, took)
			}
			list, err := client.Deliveries(t.Context(), store.DeliveryFilter{State: store.Waiting})
			if err != nil || len(list) != 10 {
				t.Fatalf("%d deliveries wait, want 10 (%v)", len(list), err)
			}
			for _, d := range list {
				if d.Attempts != 0 {
					t.Errorf("%s has %d attempts of its own", d.ID, d.Attempts)
				}
			}
			n.rcode.Store(answersNormally)
			s.whole()
		})
	}

	t.Run("IPv6 that leads nowhere does not hold up IPv4", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		u, err := url.Parse(s.crm)
		if err != nil {
			t.Fatal(err)
		}
		n := newLoopbackNames(t, net.IPv6loopback)
		nowhere(t, u.Port())
		s.named(n)
		s.up()
		s.accepts(3)
		if err := settledAt(s.private, 3); err != nil {
			t.Fatal(err)
		}
		// Each would be held up, where a busy machine is so now and then.
		quickest := time.Hour
		for n := uint64(4); n < 14 && quickest > 4*time.Second; n++ {
			began := time.Now()
			s.accepts(1)
			if err := settledAt(s.private, n); err != nil {
				t.Fatal(err)
			}
			quickest = min(quickest, time.Since(began))
		}
		if quickest > 4*time.Second {
			t.Errorf("a delivery took %v at least", quickest)
		}
		s.whole()
	})
}

// nowhere has connections to a port of [::1] get no answer at all: its queue of
// those that nobody has taken is full.
func nowhere(t *testing.T, port string) {
	t.Helper()
	addr, err := net.ResolveTCPAddr("tcp6", "[::1]:"+port)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skipf("there is no IPv6 here: %v", err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	sa := &syscall.SockaddrInet6{Port: addr.Port}
	copy(sa.Addr[:], net.IPv6loopback)
	err = errors.Join(syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 1), syscall.Bind(fd, sa))
	if err == nil {
		err = syscall.Listen(fd, 0)
	}
	if err != nil {
		t.Skipf("[::1] cannot be listened at: %v", err)
	}
	for range 10 {
		c, err := net.DialTimeout("tcp6", addr.String(), 200*time.Millisecond)
		if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Skip("a full queue takes connections here")
}
