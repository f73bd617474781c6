package admin

import (
	"context"
	"fmt"
	"net"
	"os/user"
	"strconv"
	"syscall"

	"github.com/crmsyncd/crmsyncd/store"
)

type actorKey struct{}

// WithActor names who does what is done with the returned context, for the
// audit trail.
func WithActor(ctx context.Context, who string) context.Context {
	return context.WithValue(ctx, actorKey{}, who)
}

func actorOf(ctx context.Context) string {
	if who, ok := ctx.Value(actorKey{}).(string); ok && who != "" {
		return who
	}
	return "unknown"
}

// audit has what is done with the returned context kept in the audit trail.
func audit(ctx context.Context, what, reason string, on []string) context.Context {
	return store.WithAudit(ctx, store.Audit{Who: actorOf(ctx), What: what, Reason: reason, On: on})
}

// ConnContext is for http.Server: it names who is at the other end of a
// connection. On a socket file that is a user of the machine; behind an address
// it could be any of them.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	who := "somebody at the admin address"
	if u, ok := c.(*net.UnixConn); ok {
		if name, err := peer(u); err == nil {
			who = name
		}
	}
	return WithActor(ctx, who)
}

// peer is the user of the process that opened a connection.
func peer(c *net.UnixConn) (string, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return "", err
	}
	var cred *syscall.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil {
		return "", err
	}
	if credErr != nil {
		return "", credErr
	}
	uid := strconv.FormatUint(uint64(cred.Uid), 10)
	if u, err := user.LookupId(uid); err == nil {
		return u.Username, nil
	}
	return fmt.Sprintf("user %s", uid), nil
}
