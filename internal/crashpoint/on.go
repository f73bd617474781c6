//go:build crashpoints

package crashpoint

import (
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// NoSync has the ledger leave out every fsync: the mistake that a test of power
// cuts must find, or it proves nothing.
var NoSync = os.Getenv("CRASHPOINT_NOSYNC") != ""

var (
	name, nth = wanted(os.Getenv("CRASHPOINT"))
	reached   atomic.Int64
)

// wanted reads name:n; n is 1 where it is left out.
func wanted(text string) (name string, nth int64) {
	name, number, found := strings.Cut(text, ":")
	if !found {
		return name, 1
	}
	nth, err := strconv.ParseInt(number, 10, 64)
	if err != nil || nth < 1 {
		fmt.Fprintln(os.Stderr, "CRASHPOINT: want name:n")
		os.Exit(2)
	}
	return name, nth
}

// At ends the process, if it was told to do so here and came here often enough.
func At(point string) {
	if point != name || reached.Add(1) != nth {
		return
	}
	fmt.Fprintf(os.Stderr, "crashpoint %s\n", point)
	_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	select {} // the signal may take a moment, and nothing may happen in it
}

// Writes adds the points between the writes of a *bbolt.DB, which has none: it
// writes pages, syncs them, writes one of the two headers, and syncs that.
func Writes(db any) {
	ops := reflect.ValueOf(db).Elem().FieldByName("ops").FieldByName("writeAt")
	write := (*func([]byte, int64) (int, error))(unsafe.Pointer(ops.UnsafeAddr()))
	file := *write
	headers := int64(2 * os.Getpagesize())
	*write = func(b []byte, at int64) (int, error) {
		if at >= headers {
			At("commit.pages")
			return file(b, at)
		}
		At("commit.header")
		n, err := file(b, at)
		At("commit.unsynced")
		return n, err
	}
}

// Soon is a moment in place of a long wait, where CRASHPOINT_SOON is set.
func Soon(d time.Duration) time.Duration {
	if os.Getenv("CRASHPOINT_SOON") != "" {
		return min(d, 200*time.Millisecond)
	}
	return d
}
