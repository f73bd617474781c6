package httpx

import (
	"errors"
	"net/http"
	"testing"
)

type sending func() (*http.Response, error)

func (f sending) RoundTrip(*http.Request) (*http.Response, error) { return f() }

func TestAPanicWhileOneIsLetThroughClosesNoAccount(t *testing.T) {
	t.Parallel()
	send := func() (*http.Response, error) { return nil, errors.New("down") }
	c, err := New(Options{BaseURL: "http://127.0.0.1", Attempts: 1, Transport: sending(func() (*http.Response, error) { return send() })})
	if err != nil {
		t.Fatal(err)
	}
	ask := func() error {
		defer func() { _ = recover() }()
		_, err := c.Do(t.Context(), Request{Method: http.MethodGet, Path: "/"})
		return err
	}
	for range patient {
		_ = ask()
	}
	Pause(t.Context(), 2*apart)
	send = func() (*http.Response, error) { panic("a mistake") }
	_ = ask()
	Pause(t.Context(), 2*apart)
	send = func() (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: http.NoBody, Header: http.Header{}}, nil
	}
	if err := ask(); err != nil {
		t.Errorf("got %v, want an answer", err)
	}
}
