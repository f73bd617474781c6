package bolt

import (
	"cmp"
	"context"
	"errors"
	"os"
	"time"
)

// surveyFirst is the size, in bytes, from which on a file that was closed cleanly
// is read after it was opened, while it is in use. A start needs nothing of most
// pages but which are free, and a clean stop has listed those. To read all of them
// first would keep a daemon with millions of events from its work for as long as
// its disk takes. See docs/decisions/0013.
const (
	surveyFirst = 256 << 20
	surveyAfter = 3 * time.Second // the start
	surveyPages = 1024            // at once
	surveyRest  = 9               // times as long as that took
	surveyYield = 60              // the same, where something was committed meanwhile
)

// cleanRecord says that a file was closed cleanly, and whether all heads have
// today's keys.
func cleanRecord(todaysHeads bool) []byte {
	rec := newRecord(1)
	if todaysHeads {
		rec = append(rec, 1)
	}
	return rec
}

// peekFile reads what a start needs of a file that may be read later: also all
// pages that lead to others, a hundredth of the file, or bbolt could go round in
// circles before anybody finds out. False is that it is to be read first.
func peekFile(f *os.File, o Options) (s survey, later bool) {
	info, err := f.Stat()
	if err != nil || info.Size() < int64(cmp.Or(o.surveyFirst, surveyFirst)) {
		return s, false
	}
	h, lost, err := surveyHeaders(f)
	if err != nil || lost {
		return s, false
	}
	if s, err = surveyTree(&walker{f: f, h: h, whole: metaBucket.name, split: true}); err != nil || s.buckets != len(buckets) {
		return s, false
	}
	clean := s.meta[string(cleanKey)]
	if _, err := checkSeal(metaBucket, cleanKey, clean); err != nil || len(clean) == sealLen {
		return s, false
	}
	list, ok := loadList(f, h)
	return s, ok && list.sealed() && s.usable(o)
}

// surveyLater reads the structure of the file in use, part by part, each in a
// transaction of its own: one for all would keep free pages from being used for
// as long as it takes. It leaves most of the time to others.
func (l *Ledger) surveyLater() {
	began, commits, rest := time.Now(), l.commits.Load(), cmp.Or(l.options.surveyAfter, surveyAfter)
	for _, b := range buckets {
		for from, more := []byte(nil), true; more; {
			select {
			case <-time.After(rest):
			case <-l.closing:
				return
			}
			partBegan := time.Now()
			var wrong, err error
			if from, more, wrong, err = l.surveyPart(b, from); wrong != nil {
				l.unsound(corruptFile(wrong.Error()))
				return
			} else if err != nil {
				return // it is closed, or can be used no more
			}
			rest = surveyRest * time.Since(partBegan)
			if now := l.commits.Load(); now != commits {
				rest, commits = surveyYield*time.Since(partBegan), now
			}
		}
	}
	l.log.Info("the ledger was read after it was opened, as it had been closed cleanly: its structure is sound", "path", l.path, "took", time.Since(began).Round(time.Millisecond))
}

// surveyPart reads some pages of a bucket, of the keys from one on.
func (l *Ledger) surveyPart(b bucket, from []byte) (next []byte, more bool, wrong, err error) {
	err = l.read(context.Background(), func(t *txn) error {
		pageSize := int64(t.at.db.Info().PageSize)
		w := walker{f: t.at.file, h: header{pageSize: pageSize, pages: uint64(t.tx.Size() / pageSize)}, from: from, most: surveyPages}
		if root := t.bucket(b).Root(); root != 0 { // else it lies within the first page
			wrong = w.tree(uint64(root), 1, nil, nil)
		}
		if next, more = w.at, errors.Is(wrong, errEnough); more {
			wrong = nil
		}
		return nil
	})
	return next, more, wrong, err
}

// unsound ends the use of a file that is found damaged while it is open. The mark
// has the next start read it first.
func (l *Ledger) unsound(err error) {
	if l.broken.CompareAndSwap(nil, &err) {
		_ = os.WriteFile(suspect(l.path), []byte("crmsyncd reads the whole ledger at its next start, as damage was found\n"), 0o600)
		l.log.Error("the ledger takes nothing more", "path", l.path, "error", err)
	}
	if l.options.Failed != nil {
		l.options.Failed(err)
	}
}
