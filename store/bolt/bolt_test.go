package bolt

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/storetest"
)

// TestMain finds what runs on after the tests have closed their ledgers, and is
// the daemon that TestKill kills.
func TestMain(m *testing.M) {
	if path := os.Getenv(killEnv); path != "" {
		appendForEver(path)
	}
	goleak.VerifyTestMain(m)
}

func TestLedger(t *testing.T) {
	t.Parallel()
	storetest.Test(t, func(t *testing.T, dir string) store.Ledger { return openIn(t, dir) })
}

// TestLedgerSmallTables runs the suite with ids on their way into the index all
// the time.
func TestLedgerSmallTables(t *testing.T) {
	t.Parallel()
	storetest.Test(t, func(t *testing.T, dir string) store.Ledger { return openSmall(t, dir, 3, 2) })
}

// openIn opens the ledger in dir for a test.
func openIn(t testing.TB, dir string) *Ledger {
	t.Helper()
	return openSmall(t, dir, 0, 0)
}

// openSmall opens the ledger in dir with small tables of ids, moved in small
// runs; 0: those that a daemon has.
func openSmall(t testing.TB, dir string, tableLen, runLen int) *Ledger {
	t.Helper()
	l, err := Open(Options{
		Path: filepath.Join(dir, "ledger.db"), Init: true, Log: slog.New(slog.DiscardHandler), tableLen: tableLen, runLen: runLen,
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}
