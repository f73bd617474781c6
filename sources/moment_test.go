package sources

import (
	"testing"
	"time"
)

func TestMoment(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct{ name, body, field, want string }{
		{"none", `{}`, "", ""},
		{"null", `{"at":null}`, "", ""},
		{"now", `{"at":"2026-03-10T12:00:00Z"}`, "at", ""},
		{"the second field, where the first is empty", `{"at":"","at_iso":1773144000}`, "at_iso", ""},
		{"years ago", `{"at":"2010-01-01T00:00:00Z"}`, "at", ""},
		{"longer ago", `{"at":"2009-12-31T23:59:59Z"}`, "at", "at is before 2010"},
		{"seconds taken for milliseconds", `{"at":"1970-01-21T12:00:00Z"}`, "at", "at is before 2010"},
		{"a day ahead", `{"at":"2026-03-11T12:00:00Z"}`, "at", ""},
		{"further ahead", `{"at":"2026-03-11T12:00:01Z"}`, "at", "at is more than 24 hours ahead"},
		{"no time", `{"at":"soon"}`, "at", "at is no time"},
		{"an object", `{"at":{"seconds":1}}`, "at", "at is no time"},
	} {
		v, err := ReadJSON([]byte(c.body))
		if err != nil {
			t.Fatal(err)
		}
		m := ReadMoment(v, "at", "at_iso")
		if got := m.Problem(now); m.Name != c.field || got != c.want {
			t.Errorf("%s: got %q of field %q, want %q of %q", c.name, got, m.Name, c.want, c.field)
		}
	}
}
