package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/app"
)

// TestMistakesOfRealPeople checks files with one mistake each, of those that
// people make: it is found in its line, nothing else is called one, and what
// is said of it is what the golden says. Files that a mistake does not name
// are those of right.txtar.
func TestMistakesOfRealPeople(t *testing.T) {
	const folder = "testdata/mistakes"
	right, err := txtar.ParseFile(filepath.Join(folder, "right.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(folder, "*.txtar"))
	if err != nil || len(names) < 60 {
		t.Fatalf("%d mistakes, %v; want 60 or more", len(names), err)
	}
	for name, value := range map[string]string{"TELLI_SIGNING_SECRET": "whsec_c2VjcmV0LWZvci10cnlpbmctb3V0", "PHONES_TOKEN": "for-trying-out-0123456789abcdef-0123456789abcdef", "HUBSPOT_TOKEN": "t", "ZAP_SECRET": "whsec_c2VjcmV0LWZvci10cnlpbmctb3V0", "PIPEDRIVE_TOKEN": "t"} {
		t.Setenv(name, value)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			for _, f := range slices.Concat(right.Files, archive.Files) {
				if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, problems := app.Build(filepath.Join(dir, "config.yaml"), "test", func(config.Log) *slog.Logger { return quiet() })
			var at []string
			for i := range problems {
				p := &problems[i]
				p.Pos.File = filepath.Base(p.Pos.File)
				p.Message, p.Hint = strings.ReplaceAll(p.Message, dir+"/", ""), strings.ReplaceAll(p.Hint, dir+"/", "")
				place := p.Pos.File
				if p.Pos.Line > 0 {
					place = fmt.Sprintf("%s:%d", place, p.Pos.Line)
				}
				if !slices.Contains(at, place) {
					at = append(at, place)
				}
			}
			if want := strings.TrimPrefix(strings.TrimSpace(string(archive.Comment)), "at "); strings.Join(at, ", ") != want {
				t.Errorf("found at %v, want %s", at, want)
			}
			var got bytes.Buffer
			problems.Render(&got)
			golden := &archive.Files[len(archive.Files)-1]
			if *update {
				golden.Data = got.Bytes()
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(golden.Data), got.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
