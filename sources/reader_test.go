package sources

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestReadAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   string // in the error; "" for none
		again  bool
		gone   bool
	}{
		{"an answer", 200, `{"calls":[]}`, "", false, false},
		{"an answer that is no JSON", 200, `<html>secret</html>`, "cannot be read", false, false},
		{"wrong credentials", 401, `{"secret":1}`, "answered 401; check api_key of the source", false, false},
		{"too many", 429, "", "too many requests", true, false},
		{"trouble", 502, "secret", "answered 502", true, false},
		{"not there", 404, "secret", "answered 404", false, true},
		{"no more", 410, "", "answered 410", false, true},
		{"a redirect", 302, "", "answered 302", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v, err := ReadAnswer("telli: list calls", c.status, []byte(c.body), 3*time.Second, "api_key")
			if c.want == "" {
				if err != nil || !v.IsObject() {
					t.Fatalf("got %v", err)
				}
				return
			}
			e, ok := errors.AsType[*ReadError](err)
			if !ok || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "telli: list calls: ") || strings.Contains(err.Error(), "secret") {
				t.Fatalf("got %v, want %q in it", err, c.want)
			}
			if e.Again != c.again || errors.Is(err, ErrGone) != c.gone || e.Wait != 3*time.Second {
				t.Errorf("again %v, gone %v, wait %v", e.Again, errors.Is(err, ErrGone), e.Wait)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	if e, ok := errors.AsType[*ReadError](NoAnswer(ctx, "x", errors.New("refused"))); !ok || !e.Again {
		t.Error("no answer is not worth another try")
	}
	cancel()
	if err := NoAnswer(ctx, "x", errors.New("refused")); !errors.Is(err, context.Canceled) {
		t.Errorf("after a stop: %v", err)
	}
	if err := Turn(nil).Ask(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a turn after a stop: %v", err)
	}
}

func TestItemAs(t *testing.T) {
	t.Parallel()
	item, err := Told{Record: []byte(`{"id":1}`)}.Item("phones")
	if err != nil || string(item.Body) != `{"record":{"id":1}}` || !IsRead(item.Request(noon), "phones") || IsRead(item.Request(noon), "other") {
		t.Fatalf("got %s (%s), %v", item.Body, item.ContentType, err)
	}
	if item, err = item.As("ua0-1", noon); err != nil || string(item.Body) != `{"record":{"id":1},"call":"ua0-1","ended_at":"2026-03-04T12:00:00Z"}` {
		t.Errorf("got %s, %v", item.Body, err)
	}
	if _, err := (Item{Body: []byte("[")}).As("x", noon); err == nil {
		t.Error("a body that is no record was taken")
	}
}

func TestQueryHolds(t *testing.T) {
	t.Parallel()
	q := Query{From: noon, Until: noon.Add(time.Hour)}
	for at, want := range map[time.Time]bool{noon: true, noon.Add(time.Hour): false, noon.Add(-1): false, {}: true} {
		if q.Holds(at) != want {
			t.Errorf("Holds(%v) = %v", at, !want)
		}
	}
}
