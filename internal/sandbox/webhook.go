package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// maxCaught bounds what is kept per name; the oldest go first.
const maxCaught = 20_000

// webhooks keeps what was posted to /webhook/{name}. The zero value is ready.
type webhooks struct {
	mu   sync.Mutex
	last int
	by   map[string][]Record
}

// catch records any request below /webhook/ and answers 200, unless a fault with
// that path says otherwise.
func (s *Sandbox) catch(w http.ResponseWriter, r *http.Request, below string, body []byte) {
	c := newCall(r, below, body, s.opts.Now())
	effect := s.faults.match("webhook", c, false)
	a := jsonAnswer(http.StatusOK, map[string]string{"status": "success"})
	if effect.status != nil {
		a = effect.status.answer(catcher{}, c)
	} else {
		s.caught.add(strings.Trim(c.path, "/"), c)
	}
	s.journal.add(Request{CRM: "webhook", Method: c.method, Path: c.path, Status: effect.shown(a), Time: c.now})
	effect.send(w, r, a)
}

// catcher gives the error bodies of /webhook; it is no vendor otherwise.
type catcher struct{ vendor }

func (catcher) fault(_ *call, status int, _ string) answer {
	return plainError(status, http.StatusText(status))
}

func (h *webhooks) add(name string, c *call) {
	headers := map[string]any{}
	for k, v := range c.header {
		headers[k] = strings.Join(v, ", ")
	}
	var parsed any
	if json.Unmarshal(c.body, &parsed) != nil {
		parsed = string(c.body)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.by == nil {
		h.by = map[string][]Record{}
	}
	h.last++
	kept := append(h.by[name], Record{
		ID:     fmt.Sprint(h.last),
		Fields: map[string]any{"method": c.method, "headers": headers, "body": parsed, "raw": string(c.body)},
		Links:  []Link{},
	})
	if len(kept) > maxCaught {
		kept = kept[len(kept)-maxCaught:]
	}
	h.by[name] = kept
}

func (h *webhooks) list(name string) []Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Record{}, h.by[name]...)
}

func (h *webhooks) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.by, h.last = nil, 0
}
