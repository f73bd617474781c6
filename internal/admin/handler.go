package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

// Handler serves ops as JSON below /api/, /healthz, /readyz and, if metrics is
// not nil, /metrics, to this machine only.
func Handler(ops Operations, metrics http.Handler) http.Handler {
	return HandlerFor(ops, metrics, nil, func() *Access { return nil })
}

// HandlerFor is Handler for those whom access admits, with pages beside the API
// unless they are nil; access is asked at every request. It answers only to
// loopback names in Host and to those of the certificate, and to no cross-origin
// request, as others' pages in an administrator's browser must not reach it.
func HandlerFor(ops Operations, metrics http.Handler, pages Pages, access func() *Access) http.Handler {
	h := &handler{ops}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", h.healthz)
	mux.HandleFunc("GET /readyz", h.readyz)
	if metrics != nil {
		mux.Handle("GET /metrics", metrics)
	}
	mux.HandleFunc("GET /api/status", h.status)
	mux.HandleFunc("GET /api/events", h.events)
	mux.HandleFunc("GET /api/events/{id}", h.event)
	mux.HandleFunc("GET /api/deliveries", h.deliveries)
	mux.HandleFunc("POST /api/events/replay", h.replay)
	mux.HandleFunc("POST /api/deliveries/retry", h.retry)
	mux.HandleFunc("POST /api/deliveries/discard", h.discard)
	mux.HandleFunc("POST /api/connectors/{name}/consent", h.consent)
	mux.HandleFunc("POST /api/connectors/{name}/grant", h.grant)
	mux.HandleFunc("POST /api/connectors/{name}/account", h.account)
	mux.HandleFunc("POST /api/sources/{name}/backfill", h.backfill)
	if k, ok := ops.(Keeper); ok {
		handleKeeper(mux, k)
	}
	if r, ok := ops.(Reconciler); ok {
		handleReconciler(mux, r)
	}
	mux.HandleFunc("/", elsewhere(mux))
	return newGate(mux, pages, access)
}

type handler struct{ ops Operations }

func (h *handler) healthz(w http.ResponseWriter, r *http.Request) {
	reply(w, map[string]string{"status": "ok"}, nil)
}

func (h *handler) readyz(w http.ResponseWriter, r *http.Request) {
	s, err := h.ops.Status(r.Context())
	switch {
	case err != nil:
		fail(w, http.StatusServiceUnavailable, err.Error())
	case !s.Ready:
		fail(w, http.StatusServiceUnavailable, s.NotReady)
	default:
		reply(w, map[string]string{"status": "ready"}, nil)
	}
}

func (h *handler) status(w http.ResponseWriter, r *http.Request) {
	s, err := h.ops.Status(r.Context())
	reply(w, s, err)
}

func (h *handler) events(w http.ResponseWriter, r *http.Request) {
	f, err := eventFilter(r.URL.Query())
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	list, err := h.ops.Events(r.Context(), f)
	reply(w, list, err)
}

func (h *handler) event(w http.ResponseWriter, r *http.Request) {
	seq, err := store.ParseEventID(r.PathValue("id"))
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	e, err := h.ops.Event(r.Context(), seq)
	reply(w, e, err)
}

func (h *handler) deliveries(w http.ResponseWriter, r *http.Request) {
	f, err := deliveryFilter(r.URL.Query())
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	list, err := h.ops.Deliveries(r.Context(), f)
	reply(w, list, err)
}

// order is the body of a POST.
type order struct {
	IDs    []string `json:"ids"`
	Reason string   `json:"reason,omitempty"`
}

const maxOrder = 4 << 20 // bytes

func (h *handler) replay(w http.ResponseWriter, r *http.Request) {
	withOrder(w, r, store.ParseEventID, func(seqs []uint64, _ string) (int, error) { return h.ops.Replay(r.Context(), seqs) })
}

func (h *handler) retry(w http.ResponseWriter, r *http.Request) {
	withOrder(w, r, store.ParseDeliveryID, func(ids []store.DeliveryID, _ string) (int, error) { return h.ops.Retry(r.Context(), ids) })
}

func (h *handler) discard(w http.ResponseWriter, r *http.Request) {
	withOrder(w, r, store.ParseDeliveryID, func(ids []store.DeliveryID, reason string) (int, error) {
		return h.ops.Discard(r.Context(), ids, reason)
	})
}

// changed is the answer to an order.
type changed struct {
	Changed int `json:"changed"`
}

func withOrder[T any](w http.ResponseWriter, r *http.Request, parse func(string) (T, error), do func([]T, string) (int, error)) {
	var o order
	if !readOrder(w, r, &o, `{"ids": […]}, of a discard with "reason": …`) {
		return
	}
	ids := make([]T, len(o.IDs))
	for i, s := range o.IDs {
		id, err := parse(s)
		if err != nil {
			fail(w, http.StatusBadRequest, err.Error())
			return
		}
		ids[i] = id
	}
	n, err := do(ids, o.Reason)
	reply(w, changed{n}, err)
}

func reply(w http.ResponseWriter, v any, err error) {
	switch {
	case errors.As(err, new(Mistake)):
		fail(w, http.StatusBadRequest, err.Error())
	case errors.Is(err, store.ErrNotFound):
		fail(w, http.StatusNotFound, err.Error())
	case err != nil:
		fail(w, http.StatusInternalServerError, err.Error())
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
}

func fail(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": message})
}

func eventFilter(q url.Values) (f store.EventFilter, err error) {
	f.State, f.Source, f.Type, f.Origin = store.State(q.Get("state")), q.Get("source"), event.Type(q.Get("type")), event.Origin(q.Get("origin"))
	if err := checkEventFilter(f); err != nil {
		return f, err
	}
	if f.Limit, err = number(q.Get("limit")); err != nil {
		return f, err
	}
	if s := q.Get("before"); s != "" {
		if f.Before, err = store.ParseEventID(s); err != nil {
			return f, err
		}
	}
	if f.Since, err = instant(q.Get("since")); err != nil {
		return f, err
	}
	f.Until, err = instant(q.Get("until"))
	return f, err
}

func deliveryFilter(q url.Values) (f store.DeliveryFilter, err error) {
	f.State, f.Connector = store.State(q.Get("state")), q.Get("connector")
	if err := oneOf("state", f.State, deliveryStates); err != nil {
		return f, err
	}
	if f.Limit, err = number(q.Get("limit")); err != nil {
		return f, err
	}
	if s := q.Get("before"); s != "" {
		f.Before, err = store.ParseEventID(s)
	}
	return f, err
}

func number(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, errors.New("limit must be a whole number")
	}
	return n, nil
}

func instant(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, errors.New("times are written like 2026-03-04T09:30:00Z")
	}
	return t, nil
}
