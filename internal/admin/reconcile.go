package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/crmsyncd/crmsyncd/store"
)

// Reconciler compares vendors, ledger and CRMs, and tells what was found.
type Reconciler interface {
	// Reconcile does an order and tells how far it is. The runs are those that
	// were done, whatever became of each; the error is for the order.
	Reconcile(ctx context.Context, o ReconcileOrder, tell func(ReconcileStep)) ([]store.Run, error)
	// Runs returns runs, newest first.
	Runs(ctx context.Context, f store.RunFilter) ([]store.Run, error)
	// Findings returns a run with what it found.
	Findings(ctx context.Context, id uint64) (RunReport, error)
}

// ReconcileOrder says what to compare.
type ReconcileOrder struct {
	Source    string `json:"source,omitempty"`    // "" with no connector either: all
	Connector string `json:"connector,omitempty"` //
	Full      bool   `json:"full,omitempty"`      // everything, not only what may have drifted
	DryRun    bool   `json:"dry_run,omitempty"`
}

// ReconcileStep is how far a run is.
type ReconcileStep struct {
	store.Run
	Total   int    `json:"total,omitempty"` // contacts to be looked at; 0: not known yet
	Done    int    `json:"done,omitempty"`
	Waiting string `json:"waiting,omitempty"` // for what
	Asks    bool   `json:"asks,omitempty"`    // the vendor or the CRM has not answered yet
}

// RunReport is a run with what it found.
type RunReport struct {
	store.Run
	Found []store.Finding `json:"found"`
}

var (
	_ Reconciler = (*Desk)(nil)
	_ Reconciler = (*Client)(nil)
)

// Reconcile implements Reconciler.
func (d *Desk) Reconcile(ctx context.Context, o ReconcileOrder, tell func(ReconcileStep)) ([]store.Run, error) {
	switch {
	case d.Reconciles == nil:
		return nil, errors.New("nothing can be compared here")
	case o.Source != "" && o.Connector != "":
		return nil, errors.New("say a source or a connector, or neither for all")
	}
	on := []string{}
	for _, name := range []string{o.Source, o.Connector} {
		if name != "" {
			on = append(on, name)
		}
	}
	if d.serves(o.Source, o.Connector) {
		if err := d.Ledger.KeepAudit(ctx, store.Audit{Who: actorOf(ctx), What: "reconcile", On: on, Note: noteOf(o)}); err != nil {
			return nil, err
		}
	}
	if tell == nil {
		tell = func(ReconcileStep) {}
	}
	runs, err := d.Reconciles(ctx, o, tell)
	_ = d.then(nil)
	return runs, err
}

func noteOf(o ReconcileOrder) string {
	switch {
	case o.DryRun:
		return "dry run"
	case o.Full:
		return "everything"
	}
	return ""
}

// Runs implements Reconciler.
func (d *Desk) Runs(ctx context.Context, f store.RunFilter) ([]store.Run, error) {
	list, err := d.Ledger.Runs(ctx, f)
	if list == nil {
		list = []store.Run{}
	}
	return list, err
}

// Findings implements Reconciler.
func (d *Desk) Findings(ctx context.Context, id uint64) (RunReport, error) {
	run, err := d.Ledger.Run(ctx, id)
	if err != nil {
		return RunReport{}, err
	}
	found, err := d.Ledger.Findings(ctx, id, 0, 0)
	if found == nil {
		found = []store.Finding{}
	}
	return RunReport{run, found}, err
}

// reconciled is one line of the answer to an order: how far it is, and at the
// end the runs, and what went wrong.
type reconciled struct {
	Step  *ReconcileStep `json:"step,omitempty"`
	Over  bool           `json:"over,omitempty"`
	Runs  []store.Run    `json:"runs,omitempty"`
	Error string         `json:"error,omitempty"`
}

func handleReconciler(mux *http.ServeMux, r Reconciler) {
	mux.HandleFunc("POST /api/reconcile", func(w http.ResponseWriter, req *http.Request) {
		var o ReconcileOrder
		if !readOrder(w, req, &o, `{"source": …} or {"connector": …}, or {} for all`) {
			return
		}
		say := saying(w)
		runs, err := r.Reconcile(req.Context(), o, func(s ReconcileStep) { say(reconciled{Step: &s}) })
		last := reconciled{Over: true, Runs: runs}
		if err != nil {
			last.Error = err.Error()
		}
		say(last)
	})
	mux.HandleFunc("GET /api/reconcile", func(w http.ResponseWriter, req *http.Request) {
		q := req.URL.Query()
		f := store.RunFilter{Source: q.Get("source"), Connector: q.Get("connector"), State: store.RunState(q.Get("state"))}
		var err error
		if f.Limit, err = number(q.Get("limit")); err == nil && q.Get("before") != "" {
			f.Before, err = strconv.ParseUint(q.Get("before"), 10, 64)
		}
		if err != nil {
			fail(w, http.StatusBadRequest, "limit and before must be whole numbers")
			return
		}
		list, err := r.Runs(req.Context(), f)
		reply(w, list, err)
	})
	mux.HandleFunc("GET /api/reconcile/{id}", func(w http.ResponseWriter, req *http.Request) {
		id, err := strconv.ParseUint(req.PathValue("id"), 10, 64)
		if err != nil {
			fail(w, http.StatusBadRequest, "a run has a number")
			return
		}
		report, err := r.Findings(req.Context(), id)
		reply(w, report, err)
	})
}

// Reconcile implements Reconciler. The daemon stops when ctx ends.
func (c *Client) Reconcile(ctx context.Context, o ReconcileOrder, tell func(ReconcileStep)) (runs []store.Run, err error) {
	err = c.stream(ctx, "/api/reconcile", o, func(text []byte) (over bool, err error) {
		var line reconciled
		if err := json.Unmarshal(text, &line); err != nil {
			return false, fmt.Errorf("the daemon's answer cannot be read: %w", err)
		}
		if line.Step != nil && tell != nil {
			tell(*line.Step)
		}
		if line.Error != "" {
			err = errors.New(line.Error)
		}
		runs = line.Runs
		return line.Over, err
	})
	if errors.Is(err, errCut) {
		err = errors.New("the daemon ended before the run did; it goes on when the daemon starts")
	}
	return runs, err
}

// Runs implements Reconciler.
func (c *Client) Runs(ctx context.Context, f store.RunFilter) ([]store.Run, error) {
	q := url.Values{}
	set(q, "source", f.Source)
	set(q, "connector", f.Connector)
	set(q, "state", string(f.State))
	if f.Before > 0 {
		q.Set("before", strconv.FormatUint(f.Before, 10))
	}
	page(q, 0, f.Limit)
	var out []store.Run
	err := c.get(ctx, "/api/reconcile", q, &out)
	return out, err
}

// Findings implements Reconciler.
func (c *Client) Findings(ctx context.Context, id uint64) (RunReport, error) {
	var out RunReport
	err := c.get(ctx, "/api/reconcile/"+strconv.FormatUint(id, 10), nil, &out)
	return out, err
}
