package sandbox

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// jsonAnswer encodes v as the body of an answer.
func jsonAnswer(status int, v any) answer {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		// Everything that reaches here was decoded from JSON or built from plain values.
		return plainError(http.StatusInternalServerError, "the answer could not be encoded")
	}
	return answer{status: status, body: []byte(b.String())}
}

// plainError is the sandbox's own error, for what no vendor answers.
func plainError(status int, message string) answer {
	return jsonAnswer(status, map[string]string{"error": message})
}

// htmlAnswer is what a vendor's edge says when the vendor itself does not answer.
func htmlAnswer(status int) answer {
	text := http.StatusText(status)
	if text == "" {
		text = "Web server error"
	}
	title := fmt.Sprintf("%d %s", status, text)
	return answer{
		status: status,
		header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
		body:   []byte("<html>\n<head><title>" + title + "</title></head>\n<body><center><h1>" + title + "</h1></center></body>\n</html>\n"),
	}
}

func (a answer) write(w http.ResponseWriter) {
	h := w.Header()
	for k, values := range a.header {
		h[k] = values
	}
	if len(a.body) > 0 && h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json;charset=utf-8")
	}
	if a.status != http.StatusNoContent {
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	// A client that went away is the client's affair.
	_, _ = w.Write(a.body)
}

// cut ends the connection without an answer.
func cut(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
		return
	}
	// HTTP/2 and recorders cannot be hijacked; this resets the stream instead.
	panic(http.ErrAbortHandler)
}

// wait holds an answer back, no longer than the client is there.
func wait(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}

// authorized tells whether a call carries a token, and the right one if one is set.
func authorized(c *call, want string, bare bool) bool {
	got, ok := strings.CutPrefix(c.header.Get("Authorization"), "Bearer ")
	if !ok && !bare {
		return false
	}
	got = strings.TrimSpace(got)
	return got != "" && (want == "" || got == want)
}

// newUUID is a random identifier, such as a vendor puts on each answer.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, crypto/rand
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// isoTime is how all emulated vendors print a time.
func isoTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
