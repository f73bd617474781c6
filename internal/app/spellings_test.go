package app

import (
	"slices"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
)

// TestSpellings/are those that a CRM may answer: one of them is what it keeps.
func TestSpellings(t *testing.T) {
	t.Parallel()
	fields := map[string]connectors.Field{
		"day":     {Name: "day", Type: connectors.Date},
		"body":    {Name: "body", Type: connectors.HTML},
		"ms":      {Name: "ms", Type: connectors.Duration, Unit: "ms"},
		"minutes": {Name: "minutes", Type: connectors.Duration, Native: wholeMinutes, Unit: "s"},
		"state":   {Name: "state", Type: connectors.Select, Options: []connectors.Option{{Value: "12", Label: "Closed"}, {Value: "13", Label: "Open"}}},
		"several": {Name: "several", Type: connectors.MultiSelect, Options: []connectors.Option{{Value: "a", Label: "A"}, {Value: "b", Label: "B"}}},
	}
	s := &Setup{Settings: &config.Settings{}}
	s.Settings.Defaults.Zone = time.UTC
	as := s.spellings(map[string]connectors.Schema{"crm": {"things": {Name: "things", Fields: fields}}})
	at := time.Date(2026, 3, 4, 9, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		field   string
		v, kept connectors.Value
		want    bool
	}{
		{"day", at, time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC), true},
		{"day", at, time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC), false},
		{"body", "A & B", "A &amp; B", true},
		{"ms", "0:51", event.Seconds(51), true},
		{"minutes", event.Seconds(51), event.Seconds(60), true},
		{"minutes", event.Seconds(61), event.Seconds(60), false},
		{"state", "closed", "Closed", true},
		{"state", "closed", "Open", false},
		{"several", "A;B", []any{"a", "b"}, true},
		{"unknown", "as it is", "as it is", true},
	} {
		got := as("crm", "things", c.field, c.v)
		if is := slices.ContainsFunc(got, func(v connectors.Value) bool { return connectors.Hash(v) == connectors.Hash(c.kept) }); is != c.want {
			t.Errorf("%s: %v of %v is %t among %v, want %t", c.field, c.kept, c.v, is, got, c.want)
		}
	}
}
