package bolt

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

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
	goleak.VerifyTestMain(patient{m})
}

// patient are tests after which goroutines that are about to end have time for
// it on a busy machine too: goleak waits half a second.
type patient struct{ m *testing.M }

// Run implements goleak.TestingM.
func (p patient) Run() int {
	code := p.m.Run()
	for end := time.Now().Add(time.Minute); code == 0 && goleak.Find() != nil && time.Now().Before(end); {
		continue // Find has waited
	}
	return code
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
		Path: filepath.Join(dir, "ledger.db"), Init: true, Log: slog.New(slog.DiscardHandler), tableLen: tableLen, runLen: runLen, surveyFirst: 1, surveyAfter: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	wantClosed(t, l)
	return l
}

// wantClosed has the test fail by its name that leaves the ledger open.
func wantClosed(t testing.TB, l *Ledger) {
	t.Cleanup(func() {
		select {
		case <-l.stopped:
		default:
			t.Error("the test has not closed its ledger")
		}
	})
}
