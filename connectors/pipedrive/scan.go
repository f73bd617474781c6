package pipedrive

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

const (
	// listPage is the most records of one page (OpenAPI, 2026-11).
	listPage = 500
	// sizeLife is how long the number of an object's pages is believed.
	sizeLife = time.Hour
	// pagesMost bounds every list.
	pagesMost = 2000
)

// size is how many pages an object has; exact is false if it has more.
type size struct {
	pages int
	exact bool
	at    time.Time
}

// sizes remembers how many pages of records objects have, which decides
// whether listing or searching is cheaper. The zero value is ready.
type sizes struct {
	mu  sync.Mutex
	all map[string]size
}

func (s *sizes) get(object string) size {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.all[object]; time.Since(e.at) < sizeLife {
		return e
	}
	return size{}
}

func (s *sizes) set(object string, pages int, exact bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]size{}
	}
	s.all[object] = size{pages, exact, time.Now()}
}

// scan answers all keys of all matches with one pass over all records, if that
// is cheaper than the searches: 500 records cost 10 tokens, a search 20. It
// gives up, and says so, when it turns out not to be.
func (c *Connector) scan(ctx context.Context, s read, level int, wants []*want) bool {
	spared := 0
	type place struct {
		want *want
		key  int
	}
	index := map[string][]place{} // by field and value of a key's first term
	fields := map[string]connectors.Field{}
	for _, w := range wants {
		if !w.open() {
			continue
		}
		for n := level; n < len(w.keys); n++ {
			if key := w.keys[n]; key != nil && !key[0].id {
				spared += len(c.forms(s.kind, key)) * cost(http.MethodGet, s.kind.search)
				at := code(key[0].field) + "\x00" + key[0].norm
				index[at] = append(index[at], place{w, n})
				fields[code(key[0].field)] = key[0].field
			}
		}
	}
	known, most := c.sizes.get(s.kind.name), spared/s.kind.listCost()
	if !known.exact {
		// No more than half of what the searches cost may be lost on a list
		// that turns out to be too long.
		most = max(1, most/2)
	}
	if known.pages >= most && known.pages > 0 {
		return false
	}
	ended := false
	pages, err := c.list(ctx, s.kind, s.lean(wants), min(most, pagesMost), &ended, func(r wireRecord) {
		for name, f := range fields {
			for _, v := range c.values(s.kind, f, r) {
				for _, p := range index[name+"\x00"+v] {
					if c.holds(s.kind, p.want.keys[p.key], r) {
						p.want.hit(p.key, r)
					}
				}
			}
		}
	})
	if err != nil {
		for _, w := range wants {
			w.fail(err)
		}
		return true
	}
	c.sizes.set(s.kind.name, pages, ended)
	if ended {
		return true
	}
	for _, w := range wants {
		w.hits = nil // half of them are no answer
	}
	return false
}

// customMost is the most custom fields that a list can be narrowed to
// (OpenAPI, 2026-11).
const customMost = 15

// narrow asks a list for no other custom fields than these: a page of 500
// records with all of them may be larger than an answer may be.
func (s read) narrow(q url.Values, codes map[string]bool) url.Values {
	var wanted, any []string
	for _, f := range s.object.Fields {
		if custom(f) {
			any = append(any, f.ID)
			if codes[f.ID] {
				wanted = append(wanted, f.ID)
			}
		}
	}
	if len(wanted) == 0 && len(any) > 0 {
		slices.Sort(any)
		wanted = any[:1] // none at all cannot be asked for
	}
	if len(wanted) > 0 && len(wanted) <= customMost && !s.kind.old() {
		slices.Sort(wanted)
		q.Set("custom_fields", strings.Join(wanted, ","))
	}
	return q
}

// lean narrows a list to what the matches compare and read.
func (s read) lean(wants []*want) url.Values {
	codes := map[string]bool{}
	for _, w := range wants {
		for _, key := range w.keys {
			for _, t := range key {
				codes[code(t.field)] = true
			}
		}
		for _, name := range w.match.Read {
			if f, err := pick(s.object, name); err == nil {
				codes[code(f)] = true
			}
		}
	}
	return s.narrow(url.Values{}, codes)
}

// list reads records page by page, at most so many pages, and calls each for
// every one that is not deleted. ended says that there are no more.
func (c *Connector) list(ctx context.Context, k *kind, q url.Values, most int, ended *bool, each func(wireRecord)) (pages int, _ *connectors.Error) {
	limit := listPage
	if k.name == "callLogs" {
		limit = 50 // OpenAPI, 2026-11
	}
	q.Set("limit", strconv.Itoa(limit))
	for pages < most {
		if pages > 0 && k.old() {
			q.Set("start", strconv.Itoa(pages*limit))
		}
		var page wirePage
		if err := c.call(ctx, httpx.Request{Method: http.MethodGet, Path: k.path, Query: q, Repeatable: true}, &page); err != nil {
			return pages, err
		}
		pages++
		for _, r := range page.Data {
			if !r.gone() {
				each(r)
			}
		}
		more := page.Additional.Cursor != "" || page.Additional.More || page.Additional.Pagination.More
		if !more || len(page.Data) == 0 {
			*ended = true
			return pages, nil
		}
		q.Set("cursor", page.Additional.Cursor)
		if k.old() {
			q.Del("cursor")
		}
	}
	return pages, nil
}
