package bolt

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can look after another user's ledger")
	}
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := openIn(t, filepath.Dir(path))
	if _, err := l.Append(t.Context(), sample(1)); err != nil {
		t.Fatal(err)
	}
	unclean, err := os.ReadFile(path) // as a daemon that was killed leaves it
	if err == nil {
		err = l.Close()
	}
	if err == nil {
		err = os.WriteFile(path, unclean, 0o600)
	}
	if err == nil {
		err = os.Chown(path, 12345, 12346)
	}
	if err == nil {
		err = os.WriteFile(suspect(path), nil, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(path)
	if l, err = Open(options(path)); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	after, err := os.Stat(path)
	if err != nil || os.SameFile(before, after) {
		t.Fatalf("the file was not copied, %v", err)
	}
	if st := after.Sys().(*syscall.Stat_t); st.Uid != 12345 || st.Gid != 12346 {
		t.Errorf("the copy belongs to %d:%d, want the ledger's owner 12345:12346", st.Uid, st.Gid)
	}
}
