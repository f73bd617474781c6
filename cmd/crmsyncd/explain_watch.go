package main

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// watchEvery is how often the files are looked at.
const watchEvery = 200 * time.Millisecond

// watch shows the explanation, and shows it anew whenever a file that it is
// made of was saved, until it is stopped. What is wrong in a file is shown in
// its place.
func (x *explainer) watch() error {
	out, errs := x.cmd.OutOrStdout(), x.cmd.ErrOrStderr()
	if setup, _ := x.c.build(); setup != nil {
		x.mapping = setup.Settings.Mapping
	}
	for {
		was := x.state()
		err := x.show()
		if problems := (diag.Problems)(nil); errors.As(err, &problems) {
			problems.Render(errs)
		} else if err != nil && !errors.Is(err, errShown) {
			fmt.Fprintln(errs, "crmsyncd:", err)
		}
		if !x.changed(was) {
			return nil
		}
		if colours(out)(faint, "") != "" {
			fmt.Fprint(out, "\x1b[2J\x1b[H") // an empty screen
		} else if !x.asJSON {
			fmt.Fprintln(out, "\n――――")
		}
	}
}

// changed waits until the files are others than they were; false if it was
// stopped.
func (x *explainer) changed(was uint64) bool {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-x.cmd.Context().Done():
			return false
		case <-tick.C:
			if x.state() != was {
				return true
			}
		}
	}
}

// state is a sum of names, times and sizes of the files that are read.
func (x *explainer) state() uint64 {
	files := append([]string{x.c.path(), x.mapping}, x.args...)
	if entries, err := os.ReadDir(x.mapping); err == nil { // a folder of rules
		for _, e := range entries {
			files = append(files, filepath.Join(x.mapping, e.Name()))
		}
	}
	h := fnv.New64a()
	for _, name := range files {
		if info, err := os.Stat(name); err == nil {
			fmt.Fprintln(h, name, info.ModTime().UnixNano(), info.Size())
		}
	}
	return h.Sum64()
}
