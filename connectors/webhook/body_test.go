package webhook

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
)

// TestNoValueIsLostOrInvented writes values into bodies and reads them again.
func TestNoValueIsLostOrInvented(t *testing.T) {
	t.Parallel()
	single := rapid.OneOf(
		rapid.Map(rapid.String(), func(s string) connectors.Value { return s }),
		rapid.Map(rapid.Int(), func(n int) connectors.Value { return n }),
		rapid.Map(rapid.Float64Range(-1e15, 1e15), func(n float64) connectors.Value { return n }),
		rapid.Map(rapid.Bool(), func(b bool) connectors.Value { return b }),
		rapid.Map(rapid.Int64Range(0, 4e12), func(ms int64) connectors.Value { return time.UnixMilli(ms).UTC() }),
		rapid.Map(rapid.Float64Range(0, 1e6), func(s float64) connectors.Value { return event.Seconds(s) }),
	)
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(single, 1, 3).Draw(t, "list")
		items := make([]any, len(list))
		copy(items, list)
		in := map[string]connectors.Value{"one": single.Draw(t, "one"), "list": items, "group.part": single.Draw(t, "part")}
		body, err := encode(&connectors.Change{Fields: in})
		if err != nil {
			t.Fatal(err)
		}
		var out struct {
			One   json.RawMessage   `json:"one"`
			List  []json.RawMessage `json:"list"`
			Group struct {
				Part json.RawMessage `json:"part"`
			} `json:"group"`
		}
		if err := json.Unmarshal(body, &out); err != nil {
			t.Fatal(err)
		}
		same(t, in["one"], out.One)
		same(t, in["group.part"], out.Group.Part)
		if len(out.List) != len(items) {
			t.Fatalf("%d of %d items are left", len(out.List), len(items))
		}
		for i, item := range items {
			same(t, item, out.List[i])
		}
	})
}

func same(t *rapid.T, in connectors.Value, out json.RawMessage) {
	var got any
	var err error
	switch v := in.(type) {
	case int:
		var n int
		err, got = json.Unmarshal(out, &n), &n
		if n != v {
			err = fmt.Errorf("got %d", n)
		}
	case string:
		var s string
		err, got = json.Unmarshal(out, &s), &s
		if s != v {
			err = fmt.Errorf("got %q", s)
		}
	case bool:
		var b bool
		if err, got = json.Unmarshal(out, &b), &b; b != v {
			err = fmt.Errorf("got %v", b)
		}
	case time.Time:
		var at time.Time
		if err, got = json.Unmarshal(out, &at), &at; !at.Equal(v) {
			err = fmt.Errorf("got %v", at)
		}
	case float64, event.Seconds:
		var n float64
		want, _ := in.(float64)
		if s, ok := in.(event.Seconds); ok {
			want = float64(s)
		}
		if err, got = json.Unmarshal(out, &n), &n; math.Abs(n-want) > 0 {
			err = fmt.Errorf("got %v", n)
		}
	}
	if err != nil || got == nil {
		t.Fatalf("%#v became %s: %v", in, out, err)
	}
}
