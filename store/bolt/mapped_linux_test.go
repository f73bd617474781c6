package bolt

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/crmsyncd/crmsyncd/store"
)

// TestMapped holds that only pages of the file are let go of. bbolt makes the file
// longer than what it has mapped of it; what lies behind the mapping is Go's own
// memory, which letting go would fill with zeros.
func TestMapped(t *testing.T) {
	t.Parallel()
	l, err := Open(Options{Path: filepath.Join(t.TempDir(), "ledger.db"), Init: true, Log: slog.New(slog.DiscardHandler), mapSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	noise := rand.NewChaCha8([32]byte{})
	longer := false
	for n := range 100 {
		body := make([]byte, 256<<10)
		_, _ = noise.Read(body)
		if _, err := l.Append(t.Context(), store.Event{Source: "s", Lane: "l", DeliveryID: fmt.Sprint(n), ReceivedAt: time.Now(), Body: body}); err != nil {
			t.Fatal(err)
		}
		at := l.at.Load()
		if err := at.db.View(func(tx *bbolt.Tx) error {
			from := at.db.Info().Data
			end := endOfMapping(t, from)
			if from+mapped(tx) > end {
				t.Fatalf("%d bytes are let go of, and %d are mapped", mapped(tx), end-from)
			}
			info, err := at.file.Stat()
			longer = longer || err == nil && from+uintptr(info.Size()) > end
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if !longer {
		t.Error("the file was never longer than what is mapped of it, so that the test proves little")
	}
}

// endOfMapping gives the end of the mapping that begins at an address.
func endOfMapping(t *testing.T, from uintptr) uintptr {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		var begin, stop uintptr
		if _, err := fmt.Sscanf(line, "%x-%x", &begin, &stop); err == nil && begin == from {
			return stop
		}
	}
	t.Fatal("nothing is mapped there")
	return 0
}
