package httpx

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestAFileIsSentWholeAtEveryAttempt(t *testing.T) {
	t.Parallel()
	const content = "not really a sound"
	var got []string
	var lengths []int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lengths = append(lengths, r.ContentLength)
		f, head, err := r.FormFile("file")
		if err != nil {
			t.Error(err)
			return
		}
		text, _ := io.ReadAll(f)
		got = append(got, head.Filename+" "+head.Header.Get("Content-Type")+" "+string(text))
		if len(got) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(s.Close)
	opened := 0
	u := &Upload{Field: "file", Name: "a\"\r\n.mp3", Type: "audio/mpeg", Size: int64(len(content)), Open: func() (io.ReadCloser, error) {
		opened++
		return io.NopCloser(strings.NewReader(content)), nil
	}}
	answer, err := client(t, Options{BaseURL: s.URL}).Do(t.Context(), Request{Method: http.MethodPost, Path: "/x", Upload: u, Repeatable: true})
	if err != nil || answer.Status != http.StatusOK {
		t.Fatal(answer, err)
	}
	if want := `a".mp3 audio/mpeg ` + content; len(got) != 3 || got[0] != want || got[2] != want || opened != 3 || lengths[0] <= int64(len(content)) {
		t.Errorf("got %q with lengths %v, opened %d times; want %q three times", got, lengths, opened, want)
	}
}

func TestAFileMayTakeLongerThanOtherRequests(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-release
	}))
	t.Cleanup(s.Close)
	u := &Upload{Field: "f", Name: "n", Type: "audio/mpeg", Size: 1, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }, Patience: time.Minute}
	c := client(t, Options{BaseURL: s.URL, Timeout: 20 * time.Millisecond})
	time.AfterFunc(100*time.Millisecond, func() { close(release) })
	if answer, err := c.Do(t.Context(), Request{Method: http.MethodPost, Path: "/x", Upload: u}); err != nil || answer.Status != http.StatusOK {
		t.Errorf("got %v %v, want an answer after the client's own timeout", answer, err)
	}
}

func TestADownloadIsBoundedAndFollowsRedirectsOnlyToWhereItMayGo(t *testing.T) {
	t.Parallel()
	var referer atomic.Value
	mux := http.NewServeMux()
	mux.HandleFunc("/to", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/file?x=1", http.StatusFound) })
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		referer.Store(r.Header.Get("Referer"))
		w.Header().Set("Content-Type", "audio/mpeg; charset=binary")
		_, _ = io.WriteString(w, "0123456789")
	})
	mux.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush() // no length is said
		_, _ = io.WriteString(w, "01234567890")
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	local, err := ParseReach([]string{"127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	f := NewFetcher("test", 10, time.Minute, local, "private")
	got, err := f.Fetch(t.Context(), s.URL+"/to?secret")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r, err := got.Open()
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := io.ReadAll(r); string(text) != "0123456789" || got.Type != "audio/mpeg" || got.Size != 10 {
			t.Errorf("got %q, %+v", text, got)
		}
	}
	if err := got.Close(); err != nil || referer.Load() != "" {
		t.Errorf("closed with %v; the link went out as Referer %q", err, referer.Load())
	}
	for link, says := range map[string]string{s.URL + "/stream": "too large", "ftp://example.com/": "no http", "http://a b/": "no http", s.URL + "/none": "answered 404"} {
		_, err := f.Fetch(t.Context(), link)
		if e, ok := err.(*FetchError); !ok || !e.Final || !strings.Contains(e.Error(), says) {
			t.Errorf("%s: got %v, want %q", link, err, says)
		}
	}
	if _, err := NewFetcher("test", 10, time.Minute, Reach{}, "private").Fetch(t.Context(), s.URL+"/file"); err == nil || !err.(*FetchError).Final || !strings.HasSuffix(err.Error(), ": private") {
		t.Errorf("a private address: got %v, want it refused", err)
	}
}
