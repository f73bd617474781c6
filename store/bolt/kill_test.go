package bolt

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// killEnv names the ledger for the process that is killed.
const killEnv = "CRMSYNCD_TEST_KILL"

// appendForEver appends with several writers and prints each seq once it is
// acknowledged.
func appendForEver(path string) {
	o := options(path)
	o.Init, o.Log = true, slog.New(slog.DiscardHandler)
	o.tableLen, o.runLen = 64, 8 // ids are on their way into the index at any time
	l, err := Open(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var mu sync.Mutex
	for w := range 8 {
		go func() {
			for n := w; ; n += 8 {
				e := sample(n)
				e.DeliveryID = fmt.Sprintf("%d-%d", os.Getpid(), n)
				e.ContentKey = e.DeliveryID
				r, err := l.Append(context.Background(), e)
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				mu.Lock()
				fmt.Println(r.Seq, n)
				mu.Unlock()
			}
		}()
	}
	select {}
}

func TestKill(t *testing.T) {
	t.Parallel()
	t.Run("after SIGKILL everything that was acknowledged is there, and known", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "ledger.db")
		acked := map[uint64]int{}
		for round := range 4 {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // a disk may be slow
			child := exec.CommandContext(ctx, os.Args[0])
			child.Env = append(os.Environ(), killEnv+"="+path)
			child.Stderr = os.Stderr
			out, err := child.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			for n := 0; lines.Scan(); n++ {
				var seq uint64
				var which int
				if _, err := fmt.Sscan(lines.Text(), &seq, &which); err == nil {
					acked[seq] = which
				}
				if n == 200+97*round {
					_ = child.Process.Kill()
				}
			}
			_ = child.Wait()
			cancel()
		}
		if len(acked) < 800 {
			t.Fatalf("only %d events were acknowledged", len(acked))
		}
		l, err := Open(options(path))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for seq, n := range acked {
			v, err := l.Event(t.Context(), seq)
			if err != nil || string(v.Event.Body) != string(sample(n).Body) {
				t.Fatalf("event %s was acknowledged and is not there: %v", strconv.FormatUint(seq, 10), err)
			}
			for _, id := range []string{v.Event.DeliveryID, "another"} {
				again := v.Event
				again.DeliveryID = id
				if r, err := l.Append(t.Context(), again); err != nil || r != (store.Receipt{Seq: seq, Duplicate: true}) {
					t.Fatalf("event %d was acknowledged and is not known: %+v, %v", seq, r, err)
				}
			}
		}
		if damage, err := l.Verify(t.Context(), nil); err != nil || len(damage) > 0 {
			t.Fatalf("verify: %v, %v", damage, err)
		}
	})
}
