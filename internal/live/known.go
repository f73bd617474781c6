package live

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/mapping"
)

// knownFile is where Remember keeps the fields, in the folder of the ledger.
const knownFile = "crm-fields.json"

// Remember keeps what the accounts' objects look like that rules write, so that
// explain can show offline what a value becomes. It holds names, types and
// options of fields, and nothing of any record. What is known of other
// accounts stays.
func Remember(ctx context.Context, dir string, writes []mapping.Write, accounts []Account) error {
	known := Known(dir)
	for _, a := range accounts {
		if !a.Comparable() {
			continue
		}
		s := newSurvey(a, writes)
		if s.writes == nil || !s.describe(ctx, s.objects()) {
			continue
		}
		known[a.Name] = s.schema
	}
	text, err := json.Marshal(known)
	if err != nil {
		return err
	}
	// Renamed into place, as a command may be stopped at any time.
	f, err := os.CreateTemp(dir, knownFile+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(text); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, knownFile))
}

// Known are the objects of accounts as Remember saw them, by connector; none
// where it never did.
func Known(dir string) map[string]connectors.Schema {
	known := map[string]connectors.Schema{}
	text, err := os.ReadFile(filepath.Join(dir, knownFile))
	if err != nil || json.Unmarshal(text, &known) != nil {
		return map[string]connectors.Schema{}
	}
	return known
}
