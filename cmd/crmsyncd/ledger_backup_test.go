package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestBackupFolder(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	folder := func(t *testing.T, names ...string) string {
		t.Helper()
		dir := t.TempDir()
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	holds := func(t *testing.T, dir string, want ...string) {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, e.Name())
		}
		if !slices.Equal(got, want) {
			t.Errorf("the folder holds %q, want %q", got, want)
		}
	}

	t.Run("the oldest go, and what is no backup stays", func(t *testing.T) {
		t.Parallel()
		dir := folder(t, "crmsyncd-20260301T031500Z.db", "crmsyncd-20260303T031500Z.db", "crmsyncd-20260302T031500Z.db",
			"crmsyncd-2026.db", "crmsyncd-20260101T031500Z.db.gz", "ledger.db", "notes.txt")
		if err := os.Mkdir(filepath.Join(dir, "crmsyncd-20250101T000000Z.db"), 0o700); err != nil {
			t.Fatal(err)
		}
		if gone, err := rotate(dir, 2); gone != 1 || err != nil {
			t.Errorf("got %d, %v; want 1 deleted", gone, err)
		}
		holds(t, dir, "crmsyncd-20250101T000000Z.db", "crmsyncd-2026.db", "crmsyncd-20260101T031500Z.db.gz",
			"crmsyncd-20260302T031500Z.db", "crmsyncd-20260303T031500Z.db", "ledger.db", "notes.txt")
		if gone, err := rotate(dir, 2); gone != 0 || err != nil {
			t.Errorf("again: got %d, %v; want none deleted", gone, err)
		}
	})

	t.Run("what a killed backup left goes, and what is being written stays", func(t *testing.T) {
		t.Parallel()
		dir := folder(t, "crmsyncd-20260301T031500Z.db.part", "crmsyncd-20260304T050600Z.db.part", "other.part")
		for name, age := range map[string]time.Duration{"crmsyncd-20260301T031500Z.db.part": 2 * time.Hour, "crmsyncd-20260304T050600Z.db.part": time.Minute, "other.part": 2 * time.Hour} {
			if err := os.Chtimes(filepath.Join(dir, name), now.Add(-age), now.Add(-age)); err != nil {
				t.Fatal(err)
			}
		}
		if err := tidyFolder(dir, now); err != nil {
			t.Fatal(err)
		}
		holds(t, dir, "crmsyncd-20260304T050600Z.db.part", "other.part")
	})

	t.Run("names are in the order of time, in any zone", func(t *testing.T) {
		t.Parallel()
		before := backupName("", now.In(time.FixedZone("", 9*3600)), 1)
		after := backupName("", now.Add(time.Second).In(time.FixedZone("", -9*3600)), 1)
		if before != "crmsyncd-20260304T050607Z.db" || !isBackup(before) || before >= after {
			t.Errorf("got %s and %s", before, after)
		}
	})

	t.Run("a second backup in one second has a name of its own, and is younger", func(t *testing.T) {
		t.Parallel()
		dir := folder(t, "crmsyncd-20260304T050607Z.db", "crmsyncd-20260304T050607Z_02.db.part")
		part, path, err := beginIn(dir, now)
		if err != nil || part.Close() != nil || filepath.Base(path) != "crmsyncd-20260304T050607Z_03.db" {
			t.Fatalf("got %s, %v", path, err)
		}
		if err := os.Rename(part.Name(), path); err != nil {
			t.Fatal(err)
		}
		if gone, err := rotate(dir, 1); gone != 1 || err != nil {
			t.Errorf("got %d, %v; want 1 deleted", gone, err)
		}
		holds(t, dir, "crmsyncd-20260304T050607Z_02.db.part", "crmsyncd-20260304T050607Z_03.db")
		for _, name := range []string{"crmsyncd-20260304T050607Z_1.db", "crmsyncd-20260304T050607Z_.db", "crmsyncd-20260304T050607Z_01.db", "crmsyncd-20260304T050607Z_xx.db"} {
			if isBackup(name) {
				t.Errorf("%s is taken for a backup", name)
			}
		}
	})
}
