package receiver

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/sources"
)

// route finds the source that a path names. Paths are compared as they were
// sent: http.ServeMux would redirect //hooks/x, and senders follow no redirect.
func (r *Receiver) route(req *http.Request) (src Source, token string, ok bool) {
	rest, ok := strings.CutPrefix(req.URL.EscapedPath(), "/hooks/")
	if !ok {
		return Source{}, "", false
	}
	name, token, withToken := strings.Cut(rest, "/")
	src, ok = r.Sources()[name]
	if !ok || !withToken {
		return src, "", ok
	}
	token, err := url.PathUnescape(token)
	if err != nil || token == "" || strings.Contains(token, "/") || src.Guard == nil || !src.Guard.Token() {
		return Source{}, "", false
	}
	return src, token, true
}

// nearest guesses which hook a wrong path meant; "" if none comes to mind.
func (r *Receiver) nearest(req *http.Request) string {
	clean := strings.ToLower(path.Clean("/" + req.URL.Path))
	clean = strings.TrimPrefix(strings.TrimPrefix(clean, "/hooks"), "/hook")
	name, _, _ := strings.Cut(strings.TrimPrefix(clean, "/"), "/")
	if _, ok := r.Sources()[name]; ok {
		return "/hooks/" + name
	}
	return ""
}

// takes accepts the types that senders give JSON, none at all, as some leave
// it out, and what the source takes besides.
func (s Source) takes(values []string) bool {
	if len(values) == 0 || len(values) == 1 && (values[0] == "application/json" || values[0] == "") {
		return true
	}
	kind := "" // of a header that cannot be read
	if len(values) == 1 {
		if t, _, err := mime.ParseMediaType(values[0]); err == nil || errors.Is(err, mime.ErrInvalidMediaParameter) {
			kind = t
		}
	}
	typed, _ := s.Source.(sources.Typed)
	return kind == "application/json" || kind == "text/json" || strings.HasSuffix(kind, "+json") || typed != nil && typed.Takes(kind)
}

// types names what takes accepts, for senders of something else.
func (s Source) types() string {
	if typed, ok := s.Source.(sources.Typed); ok && typed.Takes(sources.FormType) {
		return "application/json or " + sources.FormType
	}
	return "application/json"
}

// address is the URL as the sender called it: what a proxy in front changed of
// it is put back from PublicURL or, where the proxy is trusted, from what it says.
func (r *Receiver) address(req *http.Request) *url.URL {
	u := *req.URL
	u.Scheme, u.Host = "http", req.Host
	if req.TLS != nil {
		u.Scheme = "https"
	}
	if p := req.Header.Get("X-Forwarded-Proto"); p == "https" || p == "http" {
		if peer, err := netip.ParseAddrPort(req.RemoteAddr); err == nil && within(peer.Addr().Unmap(), r.TrustedProxies) {
			u.Scheme = p
		}
	}
	if p := r.PublicURL; p != nil {
		u.Scheme, u.Host = p.Scheme, p.Host
		if prefix := strings.TrimSuffix(p.EscapedPath(), "/"); prefix != "" {
			u.Path, u.RawPath = strings.TrimSuffix(p.Path, "/")+u.Path, prefix+u.EscapedPath()
		}
	}
	return &u
}

// addressed is a request as a source answers it: one that showed its token in a
// header gets it into its address, so that a sender that is told to come again
// there, where it may send no header, is admitted.
func (s Source) addressed(r *sources.Request) *sources.Request {
	if s.Guard == nil || r.Token != "" {
		return r
	}
	token := s.Guard.Admitted(r)
	if token == "" {
		return r
	}
	out, u := *r, *r.URL
	u.Path, u.RawPath = u.Path+"/"+token, u.EscapedPath()+"/"+url.PathEscape(token)
	out.Token, out.URL = token, &u
	return &out
}

func isPlain(encodings []string) bool {
	for _, e := range encodings {
		if e := strings.TrimSpace(e); e != "" && !strings.EqualFold(e, "identity") {
			return false
		}
	}
	return true
}

// drain reads some of what a sender still sends. One that writes everything
// before it reads would otherwise find its connection reset instead of the answer.
func drain(body io.Reader, most int64) {
	_, _ = io.CopyN(io.Discard, body, most)
}

// body reads the body whole, within limit bytes, the time for bodies and the
// memory for all of them. On failure the answer has a status. release gives
// the memory back and is never nil.
func (r *Receiver) body(w http.ResponseWriter, req *http.Request, limit int64) (body []byte, release func(), a answer) {
	held := int64(0)
	release = func() { r.buffered.Add(-held) }
	hold := func(n int64) bool {
		held += n
		return r.buffered.Add(n) <= r.Limits.Buffered
	}
	tooLarge := refused(http.StatusRequestEntityTooLarge, "too_large", "body too large")
	tooLarge.close = true
	if req.ContentLength > limit {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(r.Limits.BodyTime))
		drain(req.Body, 4*limit)
		return nil, release, tooLarge
	}
	// Errors mean a connection without deadlines, as in tests with a recorder.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(r.Limits.BodyTime))

	// The length that is announced is only believed as the bytes arrive.
	size := int64(4 << 10)
	if req.ContentLength >= 0 {
		size = min(req.ContentLength+1, size)
	}
	buf := make([]byte, 0, size)
	ok := hold(size)
	for ok {
		n, err := req.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > limit:
			drain(req.Body, 4*limit)
			return nil, release, tooLarge
		case err == io.EOF:
			// While the event is being stored nothing is read; a deadline that
			// passes then would look as if the sender had gone.
			_ = control.SetReadDeadline(time.Time{})
			return buf, release, answer{}
		case errors.Is(err, os.ErrDeadlineExceeded):
			a := refused(http.StatusRequestTimeout, "slow_body", "body too slow")
			a.close = true
			return nil, release, a
		case err != nil:
			a := refused(http.StatusBadRequest, "broken_body", "body broken off")
			a.close = true
			return nil, release, a
		case len(buf) == cap(buf):
			more := min(int64(cap(buf)), limit+1-int64(cap(buf)))
			if ok = hold(more); ok {
				buf = append(make([]byte, 0, int64(cap(buf))+more), buf...)
			}
		}
	}
	a = failed("memory", 5)
	a.close = true
	return nil, release, a
}

// sender is the address that a request comes from: the peer, or, where the
// peer is a trusted proxy, the right-most address in X-Forwarded-For that is
// none. Other headers of that kind are not believed.
func sender(req *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(req.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap().WithZone("")
	hops := strings.Split(strings.Join(req.Header["X-Forwarded-For"], ","), ",")
	for i := len(hops) - 1; i >= 0 && within(addr, trusted); i-- {
		hop, ok := parseHop(strings.TrimSpace(hops[i]))
		if !ok {
			break
		}
		addr = hop
	}
	return addr
}

// parseHop reads an address, with or without port and brackets.
func parseHop(s string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	return a.Unmap().WithZone(""), err == nil
}

func within(a netip.Addr, ps []netip.Prefix) bool {
	for _, p := range ps {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
