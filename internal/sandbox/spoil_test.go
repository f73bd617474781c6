package sandbox

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSpoiledAnswers/each way in which an answer goes wrong reaches a client, and
// the call is applied all the same.
func TestSpoiledAnswers(t *testing.T) {
	t.Parallel()
	const call = `{"inputs":[{"properties":{"email":"a@example.com"}},{"properties":{"email":"b@example.com"}}]}`
	for word, want := range map[string]string{
		"hang": "no answer", "reset": "no answer", "cut": "broken off", "stall": "broken off", "truncated": "201 not JSON", "empty": "201 empty", "html": "201 <html>",
		"redirect": "307 empty", "huge": "201 huge", "bomb": "201 huge", "short": "201 1 results", "extra": "201 3 results", "reversed": "201 2 results",
	} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			s := New(Options{Unlimited: true})
			srv := httptest.NewServer(s)
			defer srv.Close()
			ctx, giveUp := context.WithTimeout(t.Context(), time.Minute) // the machine may be busy
			defer giveUp()
			post := func(path, body string) (*http.Response, error) {
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Authorization", "Bearer t")
				c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true},
					CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
				return c.Do(req)
			}
			if r, err := post("/_/faults", `{"crm":"hubspot","answer":"`+word+`","times":1}`); err != nil || r.StatusCode != http.StatusOK {
				t.Fatalf("the fault was refused: %v, %v", r, err)
			}
			applied := func() int { return len(s.Records("hubspot", "contacts")) }
			if word == "hang" {
				go func() {
					for applied() < 2 && ctx.Err() == nil {
						time.Sleep(5 * time.Millisecond)
					}
					time.AfterFunc(time.Second, giveUp)
				}()
			}
			got := "no answer"
			if r, err := post("/hubspot/crm/v3/objects/contacts/batch/create", call); err == nil {
				if word == "stall" {
					time.AfterFunc(time.Second, giveUp)
				}
				text, err := io.ReadAll(io.LimitReader(r.Body, 9<<20))
				r.Body.Close()
				got = kindOf(r.StatusCode, string(text), err)
			}
			if got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if n := applied(); n != 2 {
				t.Errorf("%d contacts, want 2: the call is applied", n)
			}
		})
	}
	t.Run("a word that is none is refused with those that are", func(t *testing.T) {
		t.Parallel()
		unlimited(t).do("POST", "/_/faults", `{"crm":"hubspot","answer":"odd"}`).ok(400).contains("bomb, cut, ")
	})
}

// TestEveryFaultIsDocumented/docs/sandbox.md has all words.
func TestEveryFaultIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/sandbox.md")
	if err != nil {
		t.Fatal(err)
	}
	words := slices.Collect(maps.Keys(spoilers))
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Fault]()) {
		word, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		words = append(words, word)
	}
	for _, w := range words {
		if !strings.Contains(string(text), "`"+w+"`") {
			t.Errorf("docs/sandbox.md does not tell of %s", w)
		}
	}
}

func kindOf(status int, text string, err error) string {
	code := http.StatusText(status)
	switch status {
	case http.StatusCreated:
		code = "201"
	case http.StatusTemporaryRedirect:
		code = "307"
	}
	switch {
	case err != nil:
		return "broken off"
	case text == "":
		return code + " empty"
	case len(text) >= 9<<20:
		return code + " huge"
	case strings.HasPrefix(text, "<html>"):
		return code + " <html>"
	case !strings.HasSuffix(strings.TrimSpace(text), "}"):
		return code + " not JSON"
	}
	return code + " " + string('0'+rune(strings.Count(text, `"createdAt"`))) + " results"
}
