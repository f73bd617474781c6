package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
)

func TestServeEndsWithACodeThatSaysWhetherARestartMendsIt(t *testing.T) {
	t.Parallel()
	listen := func(err error) error {
		return fmt.Errorf("listen: %w", &net.OpError{Op: "listen", Net: "tcp", Err: err})
	}
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"a name that there is not":           {listen(&net.DNSError{Err: "no such host", Name: "nosuchhost", IsNotFound: true}), exitPerson},
		"a name server that is away":         {listen(&net.DNSError{Err: "server misbehaving", Name: "crm", IsTemporary: true}), exitIO},
		"a name server without words":        {listen(&net.DNSError{Err: "i/o timeout", Name: "crm", IsTimeout: true}), exitIO},
		"a port that there is not":           {listen(&net.AddrError{Err: "invalid port", Addr: "99999"}), exitPerson},
		"an address in use":                  {listen(os.NewSyscallError("bind", syscall.EADDRINUSE)), exitIO},
		"data_dir is a file":                 {fmt.Errorf("make the data directory: %w", &os.PathError{Op: "mkdir", Path: "x", Err: syscall.ENOTDIR}), exitPerson},
		"a folder that cannot be written to": {&os.PathError{Op: "mkdir", Path: "x", Err: syscall.EROFS}, exitIO},
		"anything else":                      {errors.New("?"), exitUnexpected},
	} {
		if got := serveCode(c.err); got != c.want {
			t.Errorf("%s: serve ends with %d, want %d", name, got, c.want)
		}
	}
}
