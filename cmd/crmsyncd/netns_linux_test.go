package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// place is a network namespace of the test's own: another machine, as far as
// the network goes. It is no more when the process ends, however that comes.
type place struct{ fd int }

// setns is the number of the system call, which package syscall does not have.
var setns = map[string]uintptr{"amd64": 308, "arm64": 268}[runtime.GOARCH]

func newPlace(t *testing.T) *place {
	t.Helper()
	var p place
	made := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends here
		err := syscall.Unshare(syscall.CLONE_NEWNET)
		if err == nil {
			p.fd, err = syscall.Open("/proc/thread-self/ns/net", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		}
		made <- err
	}()
	if err := <-made; err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Close(p.fd) })
	p.ip(t, "link", "set", "lo", "up")
	return &p
}

// do has f open sockets or start processes there.
func (p *place) do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // as above
		if _, _, errno := syscall.RawSyscall(setns, uintptr(p.fd), syscall.CLONE_NEWNET, 0); errno != 0 {
			done <- fmt.Errorf("enter the network namespace: %w", errno)
			return
		}
		done <- f()
	}()
	return <-done
}

func (p *place) ip(t *testing.T, args ...string) {
	t.Helper()
	err := p.do(func() error {
		out, err := exec.Command("ip", args...).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (p *place) listen(t *testing.T, address string) (l net.Listener) {
	t.Helper()
	err := p.do(func() (err error) {
		l, err = net.Listen("tcp4", address)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// reach gives an address at home whose connections go on from the place.
func (p *place) reach(t *testing.T, address string) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var under sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); l.Close(); under.Wait() })
	under.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			under.Go(func() {
				defer near.Close()
				var far net.Conn
				err := p.do(func() (err error) {
					dial, done := context.WithTimeout(ctx, 10*time.Second)
					defer done()
					far, err = (&net.Dialer{}).DialContext(dial, "tcp4", address)
					return err
				})
				if err != nil {
					return
				}
				defer far.Close()
				defer context.AfterFunc(ctx, func() { far.Close() })()
				go func() { _, _ = io.Copy(near, far); near.Close() }()
				_, _ = io.Copy(far, near)
			})
		}
	})
	return l.Addr().String()
}

// device makes an interface whose packets go to and come from the file.
func (p *place) device(t *testing.T, name, address string) *os.File {
	t.Helper()
	var f *os.File
	err := p.do(func() error {
		fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("/dev/net/tun: %w", err)
		}
		request := struct {
			name  [16]byte
			flags uint16
			_     [22]byte
		}{flags: syscall.IFF_TUN | syscall.IFF_NO_PI}
		copy(request.name[:15], name)
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TUNSETIFF, uintptr(unsafe.Pointer(&request))); errno != 0 {
			_ = syscall.Close(fd)
			return fmt.Errorf("make interface %s: %w", name, errno)
		}
		f = os.NewFile(uintptr(fd), name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	p.ip(t, "addr", "add", address, "dev", name)
	p.ip(t, "link", "set", name, "up")
	return f
}

// trouble is what a cable does to packets.
type trouble struct {
	loss   float64       // share of packets that vanish, each way
	delay  time.Duration // of each packet, each way
	jitter time.Duration // up to this is added: packets overtake each other
	most   int           // bytes; longer packets vanish, and nobody is told; 0: none do
	mute   bool          // what comes from the far end has no content: requests arrive, answers do not
}

// cable joins two places. Netem would do the same, where a kernel has it; this
// needs but /dev/net/tun, and the packets are seen.
type cable struct {
	near, far *os.File
	nearName  string
	home      *place // of the near end
	trouble   atomic.Pointer[trouble]

	mu  sync.Mutex
	rng *rand.Rand

	carried, lost atomic.Int64 // packets
	asked         atomic.Int64 // packets by which the near end asked for a connection
}

// join lays a cable from one place to another, in a network of two addresses
// that ends in .1 and .2.
func join(t *testing.T, near, far *place, name, network string, seed uint64) *cable {
	t.Helper()
	c := &cable{home: near, nearName: name, rng: rand.New(rand.NewPCG(seed, uint64(len(name))))}
	c.trouble.Store(&trouble{})
	c.near, c.far = near.device(t, name, network+".1/30"), far.device(t, name, network+".2/30")
	var carrying sync.WaitGroup
	carrying.Go(func() { c.carry(c.near, c.far, true) })
	carrying.Go(func() { c.carry(c.far, c.near, false) })
	t.Cleanup(func() { c.near.Close(); c.far.Close(); carrying.Wait() })
	return c
}

// suffers changes what the cable does; the zero trouble is none.
func (c *cable) suffers(t trouble) { c.trouble.Store(&t) }

// plug has the near end lose its link, as a cable that is drawn, or get it back.
func (c *cable) plug(t *testing.T, in bool) {
	t.Helper()
	c.home.ip(t, "link", "set", c.nearName, map[bool]string{true: "up", false: "down"}[in])
}

func (c *cable) carry(from, to *os.File, out bool) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		switch {
		case errors.Is(err, os.ErrClosed):
			return
		case err != nil: // the link is down
			time.Sleep(10 * time.Millisecond)
			continue
		}
		packet := buffer[:n]
		if out && asks(packet) {
			c.asked.Add(1)
		}
		wait, ok := c.fate(packet, out)
		switch {
		case !ok:
			c.lost.Add(1)
		case wait > 0:
			later := append([]byte(nil), packet...)
			time.AfterFunc(wait, func() { _, _ = to.Write(later) })
			c.carried.Add(1)
		default:
			_, _ = to.Write(packet)
			c.carried.Add(1)
		}
	}
}

// fate says whether a packet arrives, and after what time.
func (c *cable) fate(packet []byte, out bool) (wait time.Duration, ok bool) {
	now := c.trouble.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rng.Float64() < now.loss || now.most > 0 && len(packet) > now.most || now.mute && !out && content(packet) > 0 {
		return 0, false
	}
	if now.jitter > 0 {
		wait = time.Duration(c.rng.Int64N(int64(now.jitter)))
	}
	return now.delay + wait, true
}

// tcp gives the TCP part of an IPv4 packet; nil of any other.
func tcp(packet []byte) []byte {
	if len(packet) < 20 || packet[0]>>4 != 4 || packet[9] != syscall.IPPROTO_TCP {
		return nil
	}
	head, whole := int(packet[0]&15)*4, int(binary.BigEndian.Uint16(packet[2:]))
	if whole > len(packet) || whole < head+20 {
		return nil
	}
	return packet[head:whole]
}

// asks reports whether a packet asks for a connection.
func asks(packet []byte) bool {
	part := tcp(packet)
	return part != nil && part[13]&0x12 == 0x02 // SYN without ACK
}

// content is how many bytes of the stream a packet carries.
func content(packet []byte) int {
	part := tcp(packet)
	if part == nil {
		return 0
	}
	return max(0, len(part)-int(part[12]>>4)*4)
}
