package bolt

import (
	"fmt"
	"maps"
	"math/bits"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	splitDepth  = 2 // of the pages below the first one of a bucket
	mostWalkers = 4
)

// survey is what the structure of a sound file tells.
type survey struct {
	header
	used []uint64 // bits by page: those of the tree
	// lostCommit is true if one of the two headers is damaged and the file goes
	// on from the other.
	lostCommit bool
	meta       map[string][]byte // records of the meta bucket, unchecked
	oldHeads   bool              // some heads have their keys of layout 3 still
	buckets    int               // of the root
}

// surveyFile reads the structure of the file.
func surveyFile(f *os.File) (survey, error) {
	h, lost, err := surveyHeaders(f)
	if err != nil {
		return survey{}, err
	}
	stop := readFirst(f, int64(h.pages)*h.pageSize)
	defer stop()
	s, err := surveyTree(&walker{f: f, h: h, split: true})
	s.lostCommit = lost
	return s, err
}

// surveyHeaders gives the newer sound header of a file that has all its pages.
func surveyHeaders(f *os.File) (h header, lost bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return h, false, err
	}
	if info.Size() == 0 {
		return h, false, corruptFile("it is empty")
	}
	if h, lost, err = readHeaders(f, info.Size()); err != nil {
		return h, lost, err
	}
	if need := int64(h.pages) * h.pageSize; h.pages > 1<<40 || info.Size() < need {
		return h, lost, corruptFile(fmt.Sprintf("it is truncated (%d bytes of at least %d)", info.Size(), need))
	}
	return h, lost, nil
}

// surveyTree reads the pages of a file's tree.
func surveyTree(w *walker) (survey, error) {
	w.visited, w.meta = make([]uint64, w.h.pages/64+1), map[string][]byte{}
	err := w.bucket(w.h.root, 0)
	if err == nil {
		err = w.share()
	}
	if err != nil {
		err = corruptFile(err.Error())
	}
	return survey{header: w.h, used: w.visited, meta: w.meta, oldHeads: w.oldHead, buckets: w.buckets}, err
}

// subtree is a page, with those below it, that a walker left to others.
type subtree struct {
	id        uint64
	low, high []byte
	within    string
	bottom    int
}

// share has what the walker left read by several walkers at the same time, and
// adds what they saw to what it saw itself.
func (w *walker) share() error {
	var others sync.WaitGroup
	var next atomic.Int64
	walkers := make([]*walker, min(runtime.GOMAXPROCS(0), mostWalkers, len(w.left)))
	errs := make([]error, len(walkers))
	for i := range walkers {
		walkers[i] = &walker{f: w.f, h: w.h, visited: make([]uint64, len(w.visited)), meta: map[string][]byte{}}
		others.Go(func() {
			for errs[i] == nil {
				n := next.Add(1) - 1
				if n >= int64(len(w.left)) {
					return
				}
				s := w.left[n]
				walkers[i].within, walkers[i].bottom = s.within, s.bottom
				errs[i] = walkers[i].tree(s.id, splitDepth, s.low, s.high)
			}
		})
	}
	others.Wait()
	for i, o := range walkers {
		if errs[i] != nil {
			return errs[i]
		}
		for n, pages := range o.visited {
			if twice := w.visited[n] & pages; twice != 0 {
				return fmt.Errorf("page %d is used twice", n*64+bits.TrailingZeros64(twice))
			}
			w.visited[n] |= pages
		}
		maps.Copy(w.meta, o.meta)
		w.oldHead = w.oldHead || o.oldHead
	}
	return nil
}
