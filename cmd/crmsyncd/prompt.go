package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
)

// errStopped is what a question gives that Ctrl-C or SIGTERM ended.
var errStopped = errors.New("stopped")

// prompt is where a person answers. A terminal's read cannot be called off, so
// it is left alone when ctx ends: the process ends soon after.
type prompt struct {
	ctx context.Context
	in  io.Reader
}

// Read gives what was typed, or errStopped as soon as ctx ends.
func (p prompt) Read(b []byte) (int, error) {
	type typed struct {
		text []byte
		err  error
	}
	got := make(chan typed, 1)
	go func() {
		own := make([]byte, min(len(b), 4096)) // b may be used for something else by then
		n, err := p.in.Read(own)
		got <- typed{own[:n], err}
	}()
	select {
	case <-p.ctx.Done():
	case t := <-got:
		if p.ctx.Err() == nil {
			return copy(b, t.text), t.err
		}
	}
	return 0, errStopped
}

// saysYes reads a line, and takes anything but yes for a no. The error is that
// it was stopped.
func saysYes(ctx context.Context, in io.Reader) (bool, error) {
	answer, err := bufio.NewReader(io.LimitReader(prompt{ctx, in}, 100)).ReadString('\n')
	if errors.Is(err, errStopped) {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true, nil
	}
	return false, nil
}
