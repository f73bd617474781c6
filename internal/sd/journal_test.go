package sd

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestJournalIsKnownByItsStream(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var at syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &at); err != nil {
		t.Fatal(err)
	}
	for stream, want := range map[string]bool{
		fmt.Sprintf("%d:%d", at.Dev, at.Ino):   true,
		fmt.Sprintf("%d:%d", at.Dev, at.Ino+1): false, // inherited from elsewhere: stderr was redirected
		"":                                     false,
		"x":                                    false,
	} {
		if got := Journal(f, stream); got != want {
			t.Errorf("Journal(%q) = %v, want %v", stream, got, want)
		}
	}
}

func TestJournalLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(JournalLog(&out, func(w io.Writer) slog.Handler {
		return slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})
	}))
	log.Error("a", "x", "two\n<0>lines")
	log.With("connector", "hubspot").Warn("b")
	log.WithGroup("g").Info("c", "k", 1)
	log.Debug("d")
	const want = "<3>level=ERROR msg=a x=\"two\\n<0>lines\"\n<4>level=WARN msg=b connector=hubspot\n<6>level=INFO msg=c g.k=1\n<7>level=DEBUG msg=d\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}

	out.Reset()
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if i%2 == 0 {
				log.Error("e")
			} else {
				log.Info("i")
			}
		})
	}
	all.Wait()
	for line := range strings.Lines(out.String()) {
		if line != "<3>level=ERROR msg=e\n" && line != "<6>level=INFO msg=i\n" {
			t.Errorf("lines mix: %q", line)
		}
	}
}
