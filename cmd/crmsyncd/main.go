// Command crmsyncd gets what happened on the phone into the CRM. One file per
// command; main only maps errors to exit codes.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/store"
)

// Exit codes. Those of serve follow sysexits.h, so that the unit file can say
// which ones a restart cannot mend.
const (
	exitUnexpected  = 1
	exitUsage       = 2
	exitProblems    = 3
	exitUnreachable = 4
	exitIO          = 74
	exitRunning     = 75
	exitPerson      = 78
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	out := &stdout{file: os.Stdout}
	root.SetOut(out)
	shells(root)
	err := root.ExecuteContext(admin.WithActor(ctx, me()))
	if lost := out.lost(); lost != nil && (err == nil || errors.Is(err, errShown)) {
		err = lost
	}
	if err == nil {
		return 0
	}
	code := exitCode(err)
	if ps, ok := errors.AsType[diag.Problems](err); ok {
		ps.Render(os.Stderr)
	} else if !errors.Is(err, errShown) {
		fmt.Fprintln(os.Stderr, "crmsyncd:", err)
	}
	if code == exitUsage {
		fmt.Fprintln(os.Stderr, "see crmsyncd help")
	}
	return code
}

// errShown is an error that has been told to the person already.
var errShown = errors.New("")

// coded is an error with an exit code.
type coded struct {
	code int
	err  error
}

func (c coded) Error() string { return c.err.Error() }
func (c coded) Unwrap() error { return c.err }

func usage(format string, args ...any) error { return coded{exitUsage, fmt.Errorf(format, args...)} }

func exitCode(err error) int {
	if c, ok := errors.AsType[coded](err); ok {
		return c.code
	}
	switch {
	case errors.As(err, new(diag.Problems)):
		return exitProblems
	case errors.Is(err, admin.ErrUnreachable):
		return exitUnreachable
	}
	return exitUnexpected
}

// serveCode gives the exit code of serve for an error at start.
func serveCode(err error) int {
	var name *net.DNSError
	switch {
	case errors.Is(err, store.ErrLocked):
		return exitRunning
	case errors.Is(err, store.ErrBroken): // the next start finds out whether the file is damaged
		return exitIO
	case errors.Is(err, store.ErrCorrupt), errors.Is(err, store.ErrSchema), errors.Is(err, store.ErrKey), errors.Is(err, app.ErrExposed), errors.As(err, new(diag.Problems)):
		return exitPerson
	case errors.Is(err, syscall.ENOTDIR), errors.As(err, new(*net.AddrError)): // no folder; no port
		return exitPerson
	case errors.As(err, &name): // of an address to listen at; a name server may be back soon
		if name.IsNotFound {
			return exitPerson
		}
		return exitIO
	case errors.Is(err, store.ErrFull), errors.As(err, new(*os.PathError)), errors.As(err, new(*os.SyscallError)):
		return exitIO
	}
	return exitUnexpected
}
