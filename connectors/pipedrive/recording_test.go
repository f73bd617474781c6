package pipedrive_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

// recorder serves recordings and counts how often.
type recorder struct {
	url  string
	hits atomic.Int64
}

const sound = "ID3 not really a sound"

func newRecorder(t *testing.T, serve http.HandlerFunc) *recorder {
	t.Helper()
	r := &recorder{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.hits.Add(1)
		serve(w, q)
	}))
	t.Cleanup(s.Close)
	r.url = s.URL
	return r
}

func mp3(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "audio/mpeg")
	_, _ = io.WriteString(w, sound)
}

// newStudio is a desk whose connector may reach recordings on this machine.
func newStudio(t *testing.T) *desk {
	t.Helper()
	d := newDesk(t, sandbox.Options{})
	cfg := settings(d.url)
	cfg.AllowPrivate = []string{"127.0.0.0/8"}
	d.Connector = open(t, cfg, connectors.Options{Country: "DE", Zone: time.UTC})
	return d
}

func recorded(link string) connectors.Change {
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	return connectors.Change{Object: "callLogs", Fields: fields{
		"subject": "Call", "outcome": "connected", "to_phone_number": "+4930901820", "start_time": at, "end_time": at.Add(time.Minute), "note": "a < b\nc", "recording": link,
	}}
}

func (d *desk) holdsSound(id string) {
	d.t.Helper()
	f := d.record("callLogs", id).Fields
	if want := fmt.Sprintf("%x", sha256.Sum256([]byte(sound))); f["recording_sha256"] != want {
		d.t.Errorf("the log holds %v, want the recording", f)
	}
}

func (d *desk) uploads() (n int) {
	for _, r := range d.s.Requests("pipedrive") {
		if strings.HasSuffix(r.Path, "/recordings") {
			n++
		}
	}
	return n
}

func TestARecordingIsUploadedToItsCallLogOnce(t *testing.T) {
	t.Parallel()
	d, r := newStudio(t), newRecorder(t, mp3)
	c := recorded(r.url + "/a?token=secret")
	made := d.must(c)[0]
	if !made.Created {
		t.Errorf("got %+v, want it made", made)
	}
	d.holdsSound(made.ID)
	c.ID = made.ID
	d.must(c) // a replay
	if d.uploads() != 1 || r.hits.Load() != 1 {
		t.Errorf("%d uploads and %d downloads, want one each", d.uploads(), r.hits.Load())
	}
}

func TestARecordingThatComesLaterIsAttachedToTheCallLog(t *testing.T) {
	t.Parallel()
	d, r := newStudio(t), newRecorder(t, mp3)
	c := recorded("")
	delete(c.Fields, "recording")
	c.ID = d.must(c)[0].ID
	c.Fields["recording"] = r.url + "/a.mp3"
	d.must(c)
	d.holdsSound(c.ID)
	c.Fields["subject"] = "Changed"
	if r := d.write(c)[0]; r.Err == nil || r.Err.Code != "CANNOT_CHANGE" {
		t.Errorf("another value: got %v, want it told that call logs cannot be changed", r.Err)
	}
}

func TestAnAnswerLostOnTheWayLeavesOneCallLogWithOneRecording(t *testing.T) {
	t.Parallel()
	for _, lost := range []string{"/v1/callLogs", "/recordings"} {
		d, r := newStudio(t), newRecorder(t, mp3)
		d.must(recorded(r.url + "/first.mp3")) // warms what is read once
		c := recorded(r.url + "/a.mp3")
		c.Fields["subject"] = "Second"
		fault := map[string]any{"lost_reply": true, "times": 5, "method": "POST", "path": lost}
		d.fault(fault)
		first := d.write(c)[0]
		d.post("/_/faults", []any{})
		if first.Err == nil {
			t.Fatalf("%s: no error", lost)
		}
		c.ID = first.ID
		if c.ID == "" {
			c.Attempted = time.Now().Add(-time.Hour)
		} else if first.Err.Kind != connectors.Transient {
			t.Errorf("%s: got %v, want another try", lost, first.Err)
		}
		id := d.must(c)[0].ID
		d.holdsSound(id)
		if n := len(d.s.Records("pipedrive", "callLogs")); n != 2 {
			t.Errorf("%s: %d call logs, want 2", lost, n)
		}
	}
}

func TestARecordingThatCannotBeHadLeavesTheCallLogAndSaysWhy(t *testing.T) {
	t.Parallel()
	answer := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		kind  connectors.Kind
		says  string
	}{
		"it is gone":           {answer(404, "text/plain", "no"), connectors.Invalid, "answered 404"},
		"it needs a login":     {answer(200, "text/html", "<p>login"), connectors.Invalid, "need a login"},
		"it is empty":          {answer(200, "audio/mpeg", ""), connectors.Invalid, "no audio"},
		"the server is away":   {answer(503, "text/plain", ""), connectors.Transient, "answered 503"},
		"it leads round":       {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, connectors.Invalid, "too many redirects"},
		"it claims to be huge": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "999999999999") }, connectors.Invalid, "too large"},
		"it leads to elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://10.1.2.3/x", http.StatusFound)
		}, connectors.Invalid, "private address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, r := newStudio(t), newRecorder(t, c.serve)
			got := d.write(recorded(r.url + "/secret-path?token=secret"))[0]
			if got.ID == "" || got.Err == nil || got.Err.Kind != c.kind || got.Err.Field != "recording" || !strings.Contains(got.Err.Error(), c.says) {
				t.Fatalf("got %+v, want the call log and %q", got, c.says)
			}
			if strings.Contains(got.Err.Error(), "secret") {
				t.Errorf("the error shows the link: %v", got.Err)
			}
		})
	}
}

func TestARecordingOnAPrivateAddressIsNotFetched(t *testing.T) {
	t.Parallel()
	d, r := newDesk(t, sandbox.Options{}), newRecorder(t, mp3)
	got := d.write(recorded(r.url))[0]
	if got.Err == nil || got.Err.Kind != connectors.Invalid || !strings.Contains(got.Err.Message, "allow_private") || r.hits.Load() != 0 {
		t.Errorf("got %v and %d downloads, want it refused and the setting named", got.Err, r.hits.Load())
	}
	if e := d.write(recorded("file:///etc/passwd"))[0].Err; e == nil || e.Kind != connectors.Invalid || e.Code != connectors.CodeValue {
		t.Errorf("a link to a file: got %v", e)
	}
}
