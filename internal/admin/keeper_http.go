package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// handleKeeper serves a Keeper.
func handleKeeper(mux *http.ServeMux, k Keeper) {
	mux.HandleFunc("POST /api/ledger/verify", func(w http.ResponseWriter, r *http.Request) {
		work(w, r, func(tell func(int, int)) ([]store.Damage, error) { return k.Verify(r.Context(), tell) })
	})
	mux.HandleFunc("POST /api/ledger/encrypt", func(w http.ResponseWriter, r *http.Request) {
		work(w, r, func(tell func(int, int)) (store.Compacted, error) { return k.Encrypt(r.Context(), tell) })
	})
	mux.HandleFunc("POST /api/ledger/compact", func(w http.ResponseWriter, r *http.Request) {
		overwrite := r.URL.Query().Get("overwrite") == "true"
		work(w, r, func(tell func(int, int)) (store.Compacted, error) { return k.Compact(r.Context(), overwrite, tell) })
	})
	mux.HandleFunc("POST /api/ledger/backup", func(w http.ResponseWriter, r *http.Request) { sendBackup(w, r, k) })
	mux.HandleFunc("POST /api/ledger/adopt", func(w http.ResponseWriter, r *http.Request) {
		done, err := k.Adopt(r.Context())
		reply(w, adopted{done}, err)
	})
	mux.HandleFunc("POST /api/audit", func(w http.ResponseWriter, r *http.Request) {
		var n note
		if !readOrder(w, r, &n, `{"what": …, "on": […]}`) {
			return
		}
		reply(w, struct{}{}, k.Note(r.Context(), n.What, n.On))
	})
	mux.HandleFunc("GET /api/audit", func(w http.ResponseWriter, r *http.Request) {
		f, err := auditFilter(r.URL.Query())
		if err != nil {
			fail(w, http.StatusBadRequest, err.Error())
			return
		}
		list, err := k.Audits(r.Context(), f)
		reply(w, list, err)
	})
	mux.HandleFunc("POST /api/events/discard", func(w http.ResponseWriter, r *http.Request) {
		withOrder(w, r, store.ParseEventID, func(seqs []uint64, reason string) (int, error) {
			return k.DiscardEvents(r.Context(), seqs, reason)
		})
	})
	mux.HandleFunc("POST /api/events/preview", func(w http.ResponseWriter, r *http.Request) {
		var o order
		if !readOrder(w, r, &o, `{"ids": […]}`) {
			return
		}
		var seqs []uint64
		for _, id := range o.IDs {
			seq, err := store.ParseEventID(id)
			if err != nil {
				fail(w, http.StatusBadRequest, err.Error())
				return
			}
			seqs = append(seqs, seq)
		}
		list, err := k.Preview(r.Context(), seqs)
		reply(w, list, err)
	})
	mux.HandleFunc("POST /api/erase", func(w http.ResponseWriter, r *http.Request) {
		var o eraseOrder
		if !readOrder(w, r, &o, `{"email": …} or {"phone": …} or {"id": …}`) {
			return
		}
		work(w, r, func(tell func(int, int)) (Erased, error) { return k.Erase(r.Context(), o.Person, o.DryRun, tell) })
	})
}

type eraseOrder struct {
	Person
	DryRun bool `json:"dry_run,omitempty"`
}

// sendTime is how long a piece of a long answer may take to be read: a reader
// that stands still must not hold up the ledger.
const sendTime = 30 * time.Second

// patient gives a long answer the time that it takes.
func patient(w http.ResponseWriter) *http.ResponseController {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{})
	return c
}

// line is one line of the answer to long work: how far it is, at the end what
// came of it.
type line[T any] struct {
	Done   int    `json:"done"`
	Total  int    `json:"total"`
	Last   bool   `json:"last,omitempty"`
	Result T      `json:"result,omitzero"`
	Error  string `json:"error,omitempty"`
}

// tellEvery is the time between two lines.
const tellEvery = 200 * time.Millisecond

func work[T any](w http.ResponseWriter, r *http.Request, do func(tell func(done, total int)) (T, error)) {
	out, enc := patient(w), json.NewEncoder(w)
	w.Header().Set("Content-Type", "application/x-ndjson")
	say := func(l line[T]) {
		_ = out.SetWriteDeadline(time.Now().Add(sendTime))
		_ = enc.Encode(l) // the reader is gone: the context ends
		_ = out.Flush()
		_ = out.SetWriteDeadline(time.Time{}) // of HTTP/2 it would end the answer between two lines
	}
	var told time.Time
	result, err := do(func(done, total int) {
		if now := time.Now(); now.Sub(told) >= tellEvery {
			told = now
			say(line[T]{Done: done, Total: total})
		}
	})
	last := line[T]{Last: true, Result: result}
	if err != nil {
		last.Error = err.Error()
	}
	say(last)
}

// follow has the daemon do long work and hears how far it is.
func follow[T any](ctx context.Context, c *Client, path string, order any, tell func(done, total int)) (result T, err error) {
	resp, err := c.long(ctx, path, order)
	if err != nil {
		return result, err
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for {
		text, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		var l line[T]
		if err := json.Unmarshal(text, &l); err != nil {
			return result, fmt.Errorf("the daemon's answer cannot be read: %w", err)
		}
		switch {
		case l.Error != "":
			return l.Result, errors.New(l.Error)
		case l.Last:
			return l.Result, nil
		case tell != nil:
			tell(l.Done, l.Total)
		}
	}
	if ctx.Err() != nil {
		return result, ctx.Err()
	}
	return result, errors.New("the daemon ended before this was done")
}

// long posts an order whose answer may take any time.
func (c *Client) long(ctx context.Context, path string, order any) (*http.Response, error) {
	body, err := json.Marshal(order)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: c.http.Transport}).Do(req)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT):
		return nil, ErrUnreachable
	case err != nil:
		return nil, fmt.Errorf("ask the daemon: %w", err)
	case resp.StatusCode != http.StatusOK:
		defer resp.Body.Close()
		return nil, refusedBy(resp)
	}
	return resp, nil
}

// Verify implements Keeper.
func (c *Client) Verify(ctx context.Context, tell func(done, total int)) ([]store.Damage, error) {
	return follow[[]store.Damage](ctx, c, "/api/ledger/verify", struct{}{}, tell)
}

// note is the body of POST /api/audit.
type note struct {
	What string   `json:"what"`
	On   []string `json:"on"`
}

// Note implements Keeper.
func (c *Client) Note(ctx context.Context, what string, on []string) error {
	return c.send(ctx, "/api/audit", note{what, on}, nil)
}

// adopted is the answer to POST /api/ledger/adopt.
type adopted struct {
	Done bool `json:"done"`
}

// Adopt implements Keeper.
func (c *Client) Adopt(ctx context.Context) (done bool, err error) {
	var a adopted
	err = c.send(ctx, "/api/ledger/adopt", struct{}{}, &a)
	return a.Done, err
}

// Encrypt implements Keeper.
func (c *Client) Encrypt(ctx context.Context, tell func(done, total int)) (store.Compacted, error) {
	return follow[store.Compacted](ctx, c, "/api/ledger/encrypt", struct{}{}, tell)
}

// Compact implements Keeper.
func (c *Client) Compact(ctx context.Context, overwrite bool, tell func(done, total int)) (store.Compacted, error) {
	return follow[store.Compacted](ctx, c, "/api/ledger/compact?overwrite="+strconv.FormatBool(overwrite), struct{}{}, tell)
}

// Erase implements Keeper.
func (c *Client) Erase(ctx context.Context, p Person, dryRun bool, tell func(done, total int)) (Erased, error) {
	return follow[Erased](ctx, c, "/api/erase", eraseOrder{p, dryRun}, tell)
}

// Audits implements Keeper.
func (c *Client) Audits(ctx context.Context, f store.AuditFilter) (list []store.Audit, err error) {
	q := url.Values{}
	if !f.Since.IsZero() {
		q.Set("since", f.Since.Format(time.RFC3339Nano))
	}
	if f.Before > 0 {
		q.Set("before", strconv.FormatUint(f.Before, 10))
	}
	page(q, 0, f.Limit)
	return list, c.get(ctx, "/api/audit", q, &list)
}

func auditFilter(q url.Values) (f store.AuditFilter, err error) {
	if f.Limit, err = number(q.Get("limit")); err != nil {
		return f, err
	}
	if s := q.Get("before"); s != "" {
		if f.Before, err = strconv.ParseUint(s, 10, 64); err != nil {
			return f, errors.New("before must be the number of an entry")
		}
	}
	f.Since, err = instant(q.Get("since"))
	return f, err
}

// DiscardEvents implements Keeper.
func (c *Client) DiscardEvents(ctx context.Context, seqs []uint64, reason string) (int, error) {
	return c.post(ctx, "/api/events/discard", order{IDs: eventNames(seqs), Reason: reason})
}

// Preview implements Keeper.
func (c *Client) Preview(ctx context.Context, seqs []uint64) (list []Preview, err error) {
	return list, c.send(ctx, "/api/events/preview", order{IDs: eventNames(seqs)}, &list)
}

// sendBackup sends the file as it is. An answer that ends early is no backup:
// its length says so.
func sendBackup(w http.ResponseWriter, r *http.Request, k Keeper) {
	out := patient(w)
	begun := false
	begin := func(size int64) {
		begun = true
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	}
	to := &hurried{w, out}
	var err error
	if d, ok := k.(interface {
		backup(context.Context, io.Writer, func(int64)) (int64, error)
	}); ok {
		_, err = d.backup(r.Context(), to, begin)
	} else {
		begun = true
		_, err = k.Backup(r.Context(), to)
	}
	if err == nil {
		return
	}
	if !begun {
		reply(w, nil, err)
		return
	}
	panic(http.ErrAbortHandler) // the connection ends without the rest
}

// hurried gives each piece its time to be read.
type hurried struct {
	io.Writer
	out *http.ResponseController
}

func (h *hurried) Write(b []byte) (int, error) {
	_ = h.out.SetWriteDeadline(time.Now().Add(sendTime))
	return h.Writer.Write(b)
}

// Backup implements Keeper.
func (c *Client) Backup(ctx context.Context, w io.Writer) (int64, error) {
	resp, err := c.long(ctx, "/api/ledger/backup", struct{}{})
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(w, resp.Body)
	switch {
	case ctx.Err() != nil:
		return n, ctx.Err()
	case err != nil:
		return n, fmt.Errorf("receive the backup: %w", err)
	case resp.ContentLength >= 0 && n != resp.ContentLength:
		return n, fmt.Errorf("receive the backup: %d bytes came of %d", n, resp.ContentLength)
	}
	return n, nil
}
