package store

import (
	"context"
	"time"
)

// Bounds of what is kept of reconcile runs.
const (
	MaxRuns     = 200  // the oldest beyond go
	MaxFindings = 5000 // of one run; more are only counted
)

// Runs is what the ledger keeps of reconcile runs, and what they put right in
// it.
type Runs interface {
	// PutRun keeps a run in place of what was kept under its ID, and adds
	// findings to its own, in one commit; Run.Findings is set by the ledger. ID
	// 0 gives the run the next one, counting up from 1. An ID that is not there
	// is ErrNotFound.
	PutRun(ctx context.Context, r Run, add []Finding) (Run, error)
	// Run returns a run, or ErrNotFound.
	Run(ctx context.Context, id uint64) (Run, error)
	// Runs returns runs, newest first.
	Runs(ctx context.Context, f RunFilter) ([]Run, error)
	// Findings returns what a run found, in order, at most limit of them (0:
	// all) after the first skip.
	Findings(ctx context.Context, run uint64, skip, limit int) ([]Finding, error)
	// Follow notes that a record is another one now, or gone where to is "": of
	// the keys those that lead to it lead to the other, or are forgotten, and
	// what was last written to it counts for the other, as far as nothing was
	// written there. Keys that lead elsewhere meanwhile stay.
	Follow(ctx context.Context, from RecordKey, to string, keys []LinkKey) error
}

// RunState is how far a run is.
type RunState string

// The states of a run.
const (
	RunGoing   RunState = "running" // also one that a crash cut off, until it goes on
	RunDone    RunState = "done"
	RunStopped RunState = "stopped" // by a person, or as its budget was used up
	RunFailed  RunState = "failed"
)

// Run is one reconcile run: of a source, whose vendor is asked, or of a
// connector, whose CRM is compared.
type Run struct {
	ID        uint64    `json:"id"`
	Source    string    `json:"source,omitempty"`
	Connector string    `json:"connector,omitempty"`
	Trigger   string    `json:"trigger"` // schedule, missed (caught up) or hand
	State     RunState  `json:"state"`
	Note      string    `json:"note,omitempty"` // why it did not do all
	DryRun    bool      `json:"dry_run,omitempty"`
	Full      bool      `json:"full,omitempty"` // everything, not only what may have drifted
	BeganAt   time.Time `json:"began_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	Resumed   int       `json:"resumed,omitempty"` // how often it went on after a crash

	Counts

	Findings int    `json:"findings"` // kept
	Dropped  int    `json:"dropped,omitempty"`
	Cursor   string `json:"cursor,omitempty"` // where it goes on
}

// Counts are the numbers of a run. Compared to Failed count contacts.
type Counts struct {
	Brought  int `json:"brought"`  // missed events that were brought in
	Compared int `json:"compared"` // contacts
	Agreed   int `json:"agreed"`
	Mended   int `json:"mended"` // sent on the road, or would be
	Edited   int `json:"edited"` // by people, and left so
	Missing  int `json:"missing"`
	Merged   int `json:"merged"`
	Waiting  int `json:"waiting"`  // something is on its way there: looked at the next time
	Failed   int `json:"failed"`   // could not be compared or mended
	Requests int `json:"requests"` // to the vendor or the CRM
}

// RunFilter chooses runs; zero fields choose all.
type RunFilter struct {
	Source, Connector string
	State             RunState
	Before            uint64 // ID below this, for paging
	Limit             int    // 0: 100
}

// Finding is one thing that a run found to differ. Values are masked.
type Finding struct {
	// Kind is behind (the vendor has news that the CRM lacks), edited (a person
	// changed it in the CRM), missing, merged, failed or status (the vendor has
	// another status than the ledger).
	Kind    string `json:"kind"`
	Object  string `json:"object,omitempty"`
	Record  string `json:"record,omitempty"` // id in the CRM
	Contact string `json:"contact,omitempty"`
	Field   string `json:"field,omitempty"`
	Ours    string `json:"ours,omitempty"`   // what was written, or is to be
	Theirs  string `json:"theirs,omitempty"` // what is there
	Rule    string `json:"rule,omitempty"`
	Did     string `json:"did,omitempty"`   // mended, recreated, forgotten, followed, or in a dry run "to be mended" and so on; "": only reported
	Event   string `json:"event,omitempty"` // the event that mends, or says what is right
	Note    string `json:"note,omitempty"`
}
