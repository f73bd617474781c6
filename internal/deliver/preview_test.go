package deliver

import (
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/store"
)

// TestEffect/says what writing a field would do.
func TestEffect(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 9, 30, 0, 0, time.UTC)
	now := store.FieldHead{At: at, Rank: 3, Seq: 7}
	written := func(value string, v store.FieldHead) store.Head {
		v.Hash = hash(value)
		return store.Head{"status": v}
	}
	newer, same := now, now
	newer.Seq = 8
	for name, c := range map[string]struct {
		head store.Head
		want Effect
	}{
		"no record is known":                {nil, EffectNew},
		"another field was written":         {store.Head{"email": same}, EffectNew},
		"this value was written":            {written("open", same), EffectSame},
		"another value was written":         {written("closed", same), EffectChanges},
		"a newer event wrote another value": {written("closed", newer), EffectOlder},
		"a newer event wrote this value":    {written("open", newer), EffectOlder},
	} {
		if got := effect("status", now, c.head, []connectors.Value{"1", "open"}); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
