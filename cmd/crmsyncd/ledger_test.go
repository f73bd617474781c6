package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLedgerMigrate/an older file is brought to today's layout once.
func TestLedgerMigrate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := writeConfig(dir, "127.0.0.1:0", "unix:./admin.sock", "http://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "data", "ledger.db")
	unpack(t, "schema2", path)
	crmsyncd := commander(t, dir)
	if _, err := crmsyncd("events", "list"); err == nil || !strings.Contains(err.Error(), "crmsyncd ledger migrate brings it there") {
		t.Errorf("listing before: %v, want the way out", err)
	}
	if out, err := crmsyncd("ledger", "migrate"); err != nil || !strings.Contains(out, "from layout 2 to today's") || !strings.Contains(out, "ledger.db.v2") {
		t.Errorf("migrate: %q, %v", out, err)
	}
	if out, err := crmsyncd("ledger", "migrate"); err != nil || !strings.Contains(out, "already") {
		t.Errorf("migrate again: %q, %v", out, err)
	}
	if out, err := crmsyncd("events", "list"); err != nil || strings.Count(out, "evt_") != 6 {
		t.Errorf("listing after: %q, %v", out, err)
	}
	if out, err := crmsyncd("audit", "list"); err != nil || !strings.Contains(out, "ledger migrate") || !strings.Contains(out, me()) {
		t.Errorf("audit trail: %q, %v", out, err)
	}
}

// TestLedgerOfANewerOne/a downgrade is refused with the command that restores,
// which does.
func TestLedgerOfANewerOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := writeConfig(dir, "127.0.0.1:0", "unix:./admin.sock", "http://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "data", "ledger.db")
	unpack(t, "newer", path)
	unpack(t, "schema3", path+".v3") // as the upgrade kept it
	crmsyncd := commander(t, dir)
	restore := "crmsyncd ledger restore " + path + ".v3"
	if _, err := crmsyncd("serve"); exitCode(err) != exitPerson || !strings.Contains(err.Error(), restore) {
		t.Fatalf("serve: %d %v; want %d and the command that restores", exitCode(err), err, exitPerson)
	}
	if out, err := crmsyncd("ledger", "restore", path+".v3"); err != nil || !strings.Contains(out, "kept as "+path+".before-restore-") {
		t.Fatalf("restore: %q, %v", out, err)
	}
	if out, err := crmsyncd("events", "list", "--limit", "100"); err != nil || strings.Count(out, "evt_") != 32 {
		t.Errorf("after it: %v, %q; want the 32 events of the file that was kept", err, out)
	}
	if damage, err := crmsyncd("ledger", "verify"); err != nil {
		t.Errorf("verify: %s, %v", damage, err)
	}
}

// unpack puts a ledger of another version in place: of layout 2, of layout 3,
// or newer than any.
func unpack(t *testing.T, name, path string) {
	t.Helper()
	packed, err := os.Open(filepath.Join("..", "..", "store", "bolt", "testdata", name+".db.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	z, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	file, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
}

// commander runs commands with the settings in dir.
func commander(t *testing.T, dir string) func(args ...string) (string, error) {
	return func(args ...string) (string, error) {
		var out bytes.Buffer
		root := newRoot()
		root.SetOut(&out)
		root.SetErr(io.Discard)
		root.SetArgs(append(args, "--config", filepath.Join(dir, "config.yaml")))
		err := root.ExecuteContext(t.Context())
		return out.String(), err
	}
}
