package store

import (
	"context"
	"encoding/json"
	"time"
)

// Home is where a ledger belongs. It must be used in one place only: two that
// write to the same CRMs from copies of one ledger know nothing of each other.
type Home struct {
	// ID is the same for a ledger and all its copies, and random.
	ID string `json:"id"`
	// Place is where it is used, as a hash of what tells that place from others.
	Place string `json:"place,omitempty"`
	// Guest is another place where it is used, without anybody having said that
	// it was moved there.
	Guest string `json:"guest,omitempty"`
	// Gaps are times of which the ledger may know less than the CRMs.
	Gaps []Gap `json:"gaps,omitempty"`
}

// Gap is a time of which a ledger may know nothing: a backup took its place, or
// its copy was used elsewhere. What happened until To was perhaps written to the
// CRMs after From, without the ledger knowing of it.
type Gap struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Last is the Seq of the newest event that the ledger had when the gap was
	// noted: that one and those before it happened before To, whatever their
	// vendors' clocks say. 0: not noted.
	Last uint64 `json:"last,omitempty"`
}

// homeMark is the name under which a Home is kept, and mostGaps how many of its
// gaps are: the newest.
const (
	homeMark = "home"
	mostGaps = 8
)

// HomeOf returns the Home that is kept in a ledger; the zero Home if none is.
func HomeOf(ctx context.Context, l Ledger) (h Home, err error) {
	text, err := l.Mark(ctx, homeMark)
	if err == nil && len(text) > 0 {
		err = json.Unmarshal(text, &h)
	}
	return h, err
}

// Keep keeps a Home in a ledger in place of the one before.
func (h Home) Keep(ctx context.Context, l Ledger) error {
	h.Gaps = h.Gaps[max(0, len(h.Gaps)-mostGaps):]
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return l.PutMark(ctx, homeMark, text)
}

// Foreign reports whether a ledger belongs to another place than this one. Where
// either is not known, that is "", it does not.
func (h Home) Foreign(place string) bool {
	return h.Place != "" && place != "" && h.Place != place
}
