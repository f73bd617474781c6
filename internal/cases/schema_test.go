package cases_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/internal/cases"
)

// TestTheSchemaKnowsWhatTheReaderKnows compares its keys with those that the
// reader names in its hints.
func TestTheSchemaKnowsWhatTheReaderKnows(t *testing.T) {
	t.Parallel()
	var schema struct {
		Properties  map[string]any
		Definitions map[string]struct{ Properties map[string]any }
	}
	if err := json.Unmarshal(cases.JSONSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	for what, known := range map[string]struct {
		text string
		keys map[string]any
	}{
		"file":   {"[]", schema.Properties},
		"case":   {"cases:\n  - []", schema.Definitions["case"].Properties},
		"record": {"cases:\n  - {name: x, source: telli, sample: x, expect: {hubspot: [x]}}", schema.Definitions["record"].Properties},
	} {
		_, problems := cases.Read("t.yaml", []byte(known.text), names)
		_, list, _ := strings.Cut(problems.Error(), "the keys are ")
		list, _, _ = strings.Cut(list, ")")
		keys := strings.Split(list, ", ")
		slices.Sort(keys)
		if got := slices.Sorted(maps.Keys(known.keys)); !slices.Equal(got, keys) {
			t.Errorf("%s: the schema has %v, the reader %v", what, got, keys)
		}
	}
}
