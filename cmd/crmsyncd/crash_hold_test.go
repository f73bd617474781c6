package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// holder stands before the emulated CRMs. Of a write that it is told of, it lets
// the CRM do it and keeps the answer back until the client is gone: whoever
// kills the client then does so between the CRM's success and its knowing it.
type holder struct {
	next   http.Handler
	tables map[string]string // names of Airtable's tables by id

	mu     sync.Mutex
	wanted map[string]string // object by CRM; one write of it is held
	chance float64           // that a write of it is the one
	cut    bool              // the connection instead of keeping the answer back
	held   map[string]window // by CRM
}

// window is an answer that is kept back.
type window struct {
	object string
	since  time.Time
}

// newHolder returns one that holds nothing yet.
func newHolder(next http.Handler) (*holder, error) {
	r := httptest.NewRequest(http.MethodGet, "/airtable/v0/meta/bases/appCrmsyncdDemo00/tables", nil)
	r.Header.Set("Authorization", "Bearer x")
	answer := httptest.NewRecorder()
	next.ServeHTTP(answer, r)
	var base struct {
		Tables []struct{ ID, Name string } `json:"tables"`
	}
	err := json.Unmarshal(answer.Body.Bytes(), &base)
	h := &holder{next: next, tables: map[string]string{}}
	for _, t := range base.Tables {
		h.tables[t.ID] = t.Name
	}
	return h, err
}

// arm says what is to be held from now on, one write of each CRM at most. With
// cut its answer is lost at once.
func (h *holder) arm(wanted map[string]string, chance float64, cut bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wanted, h.chance, h.cut, h.held = maps.Clone(wanted), chance, cut, map[string]window{}
}

// holding lists the answers that are kept back, by CRM.
func (h *holder) holding() map[string]window {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.held)
}

// ServeHTTP implements http.Handler.
func (h *holder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 16<<20))
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	h.next.ServeHTTP(answer, r)
	crm, object := written(r, body)
	if name, ok := h.tables[object]; ok {
		object = name
	}
	if object != "" && answer.Code/100 == 2 {
		held, cut := h.hold(crm, object)
		if held && !cut {
			<-r.Context().Done()
		}
		if held {
			panic(http.ErrAbortHandler)
		}
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

func (h *holder) hold(crm, object string) (held, cut bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.wanted[crm] != object || rand.Float64() >= h.chance {
		return false, false
	}
	delete(h.wanted, crm)
	h.held[crm] = window{object, time.Now()}
	return true, h.cut
}

// written says which object of which CRM a request writes; "" if it only reads.
func written(r *http.Request, body []byte) (crm, object string) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	crm = parts[0]
	if r.Method == http.MethodGet || len(parts) < 2 {
		return crm, ""
	}
	last := parts[len(parts)-1]
	switch crm {
	case "hubspot": // crm/objects/2026-09/contacts/batch/upsert, crm/associations/…
		if last == "search" || last == "read" || len(parts) < 5 {
			return crm, ""
		}
		if parts[2] == "associations" {
			return crm, "associations"
		}
		return crm, parts[4]
	case "airtable": // v0/app…/tbl…
		if last == "listRecords" || parts[1] != "v0" {
			return crm, ""
		}
		return crm, parts[3]
	case "pipedrive": // api/v2/persons/17, v1/notes
		if at := slices.IndexFunc(parts, func(p string) bool { return p == "v1" || p == "v2" }); at >= 0 && at+1 < len(parts) {
			return crm, parts[at+1]
		}
	case "salesforce": // services/data/v68.0/composite/sobjects
		var sent struct {
			Records []struct {
				Attributes struct {
					Type string `json:"type"`
				} `json:"attributes"`
			} `json:"records"`
		}
		if json.Unmarshal(body, &sent) == nil && len(sent.Records) > 0 {
			return crm, sent.Records[0].Attributes.Type
		}
	case "webhook":
		return crm, last
	}
	return crm, ""
}
