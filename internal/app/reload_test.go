package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/admin"
)

// TestReloadSaysWhatNeedsARestart holds that it is told at each reload for what
// is not in force, and of what the daemon began with only.
func TestReloadSaysWhatNeedsARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, rules := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "mapping.yaml")
	write := func(more string) {
		t.Helper()
		text := anywhere + "\nmapping: mapping.yaml\nsources: {telli: {type: telli, signing_secret: " + benchSecret + "}}\nconnectors: {hubspot: {type: hubspot, access_token: x}}\n" + more
		for file, text := range map[string]string{path: text, rules: unmatchedRules} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	var said strings.Builder
	logger := func(config.Log) *slog.Logger { return slog.New(slog.NewTextHandler(&said, nil)) }
	write("data_dir: data\n")
	setup, problems := Build(path, "test", logger)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	a, err := New(setup, path, "test", logger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.ledger.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, c := range []struct{ name, settings, want string }{
		{"a change", "data_dir: other\ndelivery: {drain: 5s}\n", "setting=data_dir setting=delivery.drain"},
		{"still changed", "data_dir: other\ndelivery: {drain: 5s, max_age: 1d}\n", "setting=data_dir setting=delivery.drain"},
		{"as it was", "data_dir: data\n", ""},
	} {
		said.Reset()
		write(c.settings)
		if err := a.Reload().Err(); err != nil {
			t.Fatal(err)
		}
		for name := range map[string]bool{"setting=data_dir": true, "setting=delivery.drain": true} {
			if got := strings.Contains(said.String(), "needs a restart\" "+name); got != strings.Contains(c.want, name) {
				t.Errorf("%s: %s is told: %v, want %q; log:\n%s", c.name, name, got, c.want, said.String())
			}
		}
		if got := a.setup.Load().Settings.DataDir; got != filepath.Join(dir, "data") {
			t.Errorf("%s: the disk of %s is looked at", c.name, got)
		}
	}
}

// TestAReloadThatHangsHoldsUpNoStatus holds that a file that cannot be read to its
// end, of a network file system that is gone say, costs the reload alone: who
// asks for the status is the watchdog, too.
func TestAReloadThatHangsHoldsUpNoStatus(t *testing.T) {
	t.Parallel()
	m, dir := newServiceManager(t, 0), t.TempDir()
	a, _ := m.run(dir, anywhere, 3)
	m.awaits("READY=1")
	path := filepath.Join(dir, "mapping.yaml")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	reloaded := make(chan struct{})
	go func() { defer close(reloaded); a.Reload() }()
	f, err := os.OpenFile(path, os.O_WRONLY, 0) // once the reload reads it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { f.Close(); <-reloaded }()
	if !inTime(time.Minute, func() { a.fill(&admin.Status{}) }) {
		t.Error("the status waits for the reload")
	}
}
