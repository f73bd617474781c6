//go:build fidelity

package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/starter"
)

// TestEditors has the YAML language server, which editors run, complete and
// check the files that crmsyncd init writes. npm fetches it.
func TestEditors(t *testing.T) {
	t.Parallel()
	tools := t.TempDir()
	if err := os.CopyFS(tools, os.DirFS("testdata/editor")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=4")
	install.Dir = tools
	install.WaitDelay = 5 * time.Second
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v; Node.js 18 or newer, npm and a way to its registry are needed\n%s", err, out)
	}
	dir := t.TempDir()
	w := wizard{in: bufio.NewReader(strings.NewReader("")), out: new(bytes.Buffer), dir: dir, yes: true, choice: starter.Choice{Sender: "telli", CRMs: []string{"hubspot"}}}
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(ctx, "node", filepath.Join(tools, "editor.mjs"), dir)
	run.WaitDelay = 5 * time.Second
	var told bytes.Buffer
	run.Stderr = &told
	out, err := run.Output()
	if err != nil {
		t.Errorf("editor.mjs did not run to its end: %v\n%s", err, told.String())
	}
	n := 0
	for line := range strings.Lines(string(out)) {
		n++
		line = strings.TrimSpace(line)
		wrong, isWrong := strings.CutPrefix(line, "not ok ")
		name, why, _ := strings.Cut(strings.TrimPrefix(wrong, "ok "), ": ")
		t.Run(name, func(t *testing.T) {
			if isWrong {
				t.Error(why)
			}
		})
	}
	if n < 16 {
		t.Errorf("%d checks were made, want at least 16", n)
	}
}
