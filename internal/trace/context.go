// Package trace takes W3C Trace Context from webhooks, passes it on to CRMs and,
// in a binary built with the tag otel, records spans and sends them to a
// collector over OTLP. Without the tag nothing of OpenTelemetry is linked, and
// all that is left is two headers.
//
// It decides nothing about webhooks or deliveries, and keeps nothing: the trace
// of an event lies in the ledger. No span holds what a person said, is called or
// can be reached by, nor a path, a query, a header or a body.
package trace

import (
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/crmsyncd/crmsyncd/event"
)

// The headers (W3C Trace Context Level 1, read 2026-11), as http.Header has them.
const (
	parentHeader = "Traceparent"
	stateHeader  = "Tracestate"
)

const (
	parentLen  = 55  // of traceparent in version 00
	maxState   = 512 // bytes that must be passed on at least; we pass on no more
	maxMembers = 32  // of a tracestate
	maxMember  = 256 // bytes of one's value
	maxKey     = 256 // bytes of one's key
	knownFlags = event.Sampled | event.Random
	maxParent  = 512 // bytes of a traceparent of a later version; what is longer is none
)

// Read gives the trace of a request; nil where it brings none, or none that is
// written as the standard wants it.
func Read(h http.Header) *event.Trace {
	parents := h[parentHeader]
	if len(parents) != 1 {
		return nil // with several nobody knows whose is meant
	}
	t, ok := parseParent(parents[0])
	if !ok {
		return nil
	}
	t.State = parseState(h[stateHeader])
	return &t
}

// parseParent reads version-id-span-flags. A later version may have more behind
// that, and is read as far as it is known (section 4.2 of the standard).
func parseParent(s string) (t event.Trace, ok bool) {
	later := len(s) > parentLen && len(s) <= maxParent && s[:2] != "00" && s[parentLen] == '-'
	if len(s) != parentLen && !later || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return t, false
	}
	var version, flags [1]byte
	for _, part := range []struct {
		to   []byte
		text string
	}{{version[:], s[:2]}, {t.ID[:], s[3:35]}, {t.Span[:], s[36:52]}, {flags[:], s[53:55]}} {
		if !lowerHex(part.to, part.text) {
			return event.Trace{}, false
		}
	}
	t.Flags = flags[0] & knownFlags
	if version[0] != 0 {
		t.Flags &= event.Sampled // all that is known of later versions
	}
	return t, version[0] != 0xff && t.ID != [16]byte{} && t.Span != [8]byte{}
}

// lowerHex decodes text, in which capital letters are not allowed.
func lowerHex(to []byte, text string) bool {
	for i := range len(text) {
		if c := text[i]; c >= 'A' && c <= 'F' {
			return false
		}
	}
	n, err := hex.Decode(to, []byte(text))
	return err == nil && n == len(to)
}

// parseState joins the headers, and drops members from the end until they fit.
// A state that is not written as the standard wants it is dropped whole.
func parseState(headers []string) string {
	size := 0
	for _, h := range headers {
		size += len(h)
	}
	if size == 0 || size > 16*maxState {
		return ""
	}
	var out strings.Builder
	seen := map[string]bool{}
	full := false
	for _, header := range headers {
		for member := range strings.SplitSeq(header, ",") {
			member = strings.Trim(member, " \t")
			if member == "" {
				continue // empty ones are allowed
			}
			key, value, ok := strings.Cut(member, "=")
			if !ok || !isKey(key) || !isValue(value) || seen[key] || len(seen) == maxMembers {
				return ""
			}
			seen[key] = true
			if out.Len() > 0 {
				member = "," + member
			}
			if full = full || out.Len()+len(member) > maxState; !full {
				out.WriteString(member)
			}
		}
	}
	return out.String()
}

// isKey accepts name and tenant@name.
func isKey(s string) bool {
	tenant, system, several := strings.Cut(s, "@")
	switch {
	case len(s) > maxKey:
		return false
	case several:
		return len(tenant) <= 241 && len(system) <= 14 && isName(tenant, true) && isName(system, false)
	}
	return isName(s, false)
}

func isName(s string, digitFirst bool) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z':
		case c >= '0' && c <= '9':
			if i == 0 && !digitFirst {
				return false
			}
		case i > 0 && strings.IndexByte("_-*/", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}

func isValue(s string) bool {
	if s == "" || len(s) > maxMember || s[len(s)-1] == ' ' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == ',' || c == '=' {
			return false
		}
	}
	return true
}

// write puts the trace into a header that is the caller's own.
func write(h http.Header, t event.Trace) {
	var b [parentLen]byte
	b[0], b[1], b[2], b[35], b[52] = '0', '0', '-', '-', '-'
	hex.Encode(b[3:35], t.ID[:])
	hex.Encode(b[36:52], t.Span[:])
	hex.Encode(b[53:], []byte{t.Flags})
	h[parentHeader] = []string{string(b[:])}
	if t.State == "" {
		delete(h, stateHeader)
		return
	}
	h[stateHeader] = []string{t.State}
}
