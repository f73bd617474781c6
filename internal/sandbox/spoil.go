package sandbox

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// hugeBody is the size of a huge answer, and of what a bomb unpacks to.
const hugeBody = 100 << 20

// spoilers are the ways in which an answer can go wrong on its way, by the
// word that a fault's answer has. The call itself was applied, unless the fault
// has a status too.
var spoilers = map[string]func(w http.ResponseWriter, r *http.Request, a answer){
	// No answer, as long as the client is there.
	"hang": func(_ http.ResponseWriter, r *http.Request, _ answer) { <-r.Context().Done() },
	// The connection is reset.
	"reset": func(w http.ResponseWriter, _ *http.Request, _ answer) { cutOff(w, true, nil) },
	// The connection ends in the middle of the answer.
	"cut": func(w http.ResponseWriter, _ *http.Request, a answer) { cutOff(w, false, &a) },
	// The answer stops in the middle, and the connection stays open.
	"stall": func(w http.ResponseWriter, r *http.Request, a answer) {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)+1))
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	},
	// Half of the answer, which says that it is whole.
	"truncated": func(w http.ResponseWriter, _ *http.Request, a answer) {
		a.body = a.body[:len(a.body)/2]
		a.write(w)
	},
	"empty": func(w http.ResponseWriter, _ *http.Request, a answer) {
		answer{status: a.status, header: a.header}.write(w)
	},
	"html": func(w http.ResponseWriter, _ *http.Request, a answer) { htmlAnswer(a.status).write(w) },
	// A redirect to another host.
	"redirect": func(w http.ResponseWriter, r *http.Request, _ answer) {
		answer{status: http.StatusTemporaryRedirect, header: http.Header{"Location": {"http://elsewhere.invalid" + r.URL.Path}}}.write(w)
	},
	// 100 MiB that never become JSON, and the same as a small gzip.
	"huge": func(w http.ResponseWriter, _ *http.Request, a answer) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(a.status)
		for chunk, n := bytes.Repeat([]byte(" "), 64<<10), 0; n < hugeBody; n += len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	},
	"bomb": func(w http.ResponseWriter, _ *http.Request, a answer) {
		a.header, a.body = http.Header{"Content-Encoding": {"gzip"}}, bomb()
		a.write(w)
	},
	// The list of results of a batch lacks its last one, has it twice, or is in
	// reverse.
	"short":    results(func(all []json.RawMessage) []json.RawMessage { return all[:max(len(all)-1, 0)] }),
	"extra":    results(func(all []json.RawMessage) []json.RawMessage { return append(all, all[len(all)-1]) }),
	"reversed": results(func(all []json.RawMessage) []json.RawMessage { slices.Reverse(all); return all }),
}

// spoilerNames lists them for messages.
func spoilerNames() string { return strings.Join(slices.Sorted(maps.Keys(spoilers)), ", ") }

// cutOff ends the connection, after half of an answer if there is one.
func cutOff(w http.ResponseWriter, reset bool, half *answer) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if half != nil {
		_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(half.body)+1) + "\r\n\r\n"))
		_, _ = conn.Write(half.body[:len(half.body)/2])
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// bomb is a gzip that unpacks to hugeBody: one member of 1 MiB, over and over,
// which is a stream like any (RFC 1952, 2.2) and costs nothing to make.
var bomb = sync.OnceValue(func() []byte {
	const member = 1 << 20
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(bytes.Repeat([]byte(" "), member)) // to memory
	_ = z.Close()
	return bytes.Repeat(b.Bytes(), hugeBody/member)
})

// results changes the list of results in an answer: the answer itself, or what
// stands under the name that the vendors have for it.
func results(change func([]json.RawMessage) []json.RawMessage) func(http.ResponseWriter, *http.Request, answer) {
	return func(w http.ResponseWriter, _ *http.Request, a answer) {
		var all []json.RawMessage
		var whole map[string]json.RawMessage
		switch {
		case json.Unmarshal(a.body, &all) == nil:
			if len(all) > 0 {
				a.body = jsonAnswer(a.status, change(all)).body
			}
		case json.Unmarshal(a.body, &whole) == nil:
			for _, name := range []string{"results", "records", "compositeResponse"} {
				if json.Unmarshal(whole[name], &all) == nil && len(all) > 0 {
					whole[name] = bytes.TrimSpace(jsonAnswer(a.status, change(all)).body)
					a.body = jsonAnswer(a.status, whole).body
					break
				}
			}
		}
		a.write(w)
	}
}
