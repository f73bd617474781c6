package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func TestMan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := newRoot()
	root.SetArgs([]string{"man", dir, "--date", "2026-11-22"})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	page := func(c *cobra.Command) string {
		text, err := os.ReadFile(filepath.Join(dir, pageName(c)+".8"))
		if err != nil {
			t.Errorf("%s has no page", c.CommandPath())
		}
		return strings.ReplaceAll(string(text), `\-`, "-")
	}
	main := page(root)
	for _, c := range pages(root) {
		if !strings.Contains(main, ".BR "+pageName(c)+" (8)") {
			t.Errorf("crmsyncd(8) does not lead to %s", pageName(c))
		}
		text := page(c)
		for _, one := range append([]*cobra.Command{c}, c.Commands()...) {
			one.LocalFlags().VisitAll(func(f *pflag.Flag) {
				if !f.Hidden && !strings.Contains(text, "--"+f.Name) {
					t.Errorf("%s lacks --%s of %s", pageName(c), f.Name, one.CommandPath())
				}
			})
		}
		if !strings.Contains(text, "2026-11-22") {
			t.Errorf("%s lacks its date", pageName(c))
		}
	}
	if strings.Contains(main, "crmsyncd-man") {
		t.Error("the hidden command shows")
	}
	t.Run("groff understands every page", func(t *testing.T) {
		if _, err := exec.LookPath("groff"); err != nil {
			t.Skip("there is no groff on this machine")
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.8"))
		if err != nil || len(files) < 5 {
			t.Fatalf("%d pages, %v", len(files), err)
		}
		out, err := exec.CommandContext(t.Context(), "groff", append([]string{"-man", "-Tutf8", "-ww", "-z"}, files...)...).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("%v: %s", err, out)
		}
	})
}

func TestRoff(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a-b":          `a\-b`,
		`C:\x`:         `C:\ex`,
		".TH injected": `\&.TH injected`,
		"a\n'b":        "a\n\\&'b",
	} {
		if got := roff(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
