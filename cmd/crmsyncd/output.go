package main

import (
	"io"
	"os"
	"sync"
)

// stdout is standard output. It knows what could not be written, so that no
// command ends well whose answer got lost on a full disk, and none has to look.
type stdout struct {
	file *os.File

	mu  sync.Mutex
	err error // the first one
}

func (o *stdout) Write(b []byte) (int, error) {
	n, err := o.file.Write(b)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// lost is why something could not be written; nil: all was.
func (o *stdout) lost() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// fileOf is the file that w writes, if it is one.
func fileOf(w io.Writer) (*os.File, bool) {
	if o, ok := w.(*stdout); ok {
		return o.file, true
	}
	f, ok := w.(*os.File)
	return f, ok
}
