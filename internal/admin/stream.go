package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"time"
)

// Long work is answered as lines of JSON: how far it is, and at the end what
// came of it. Who hangs up ends the work.

// maxLine is the longest line of such an answer, in bytes.
const maxLine = 8 << 20

// saying begins such an answer, and returns what says a line. A line that is not
// read in time ends it as hanging up does.
func saying(w http.ResponseWriter) func(line any) {
	out := http.NewResponseController(w)
	_ = out.SetReadDeadline(time.Time{}) // it takes as long as it takes
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	return func(line any) {
		_ = out.SetWriteDeadline(time.Now().Add(sendTime))
		_ = enc.Encode(line) // the reader is gone: the context ends
		_ = out.Flush()
		_ = out.SetWriteDeadline(time.Time{}) // of HTTP/2 it would end the answer between two lines
	}
}

// errCut is the error of an answer that ends before the work did.
var errCut = errors.New("the daemon ended before it was over")

// stream posts an order and hands on every line of the answer until over is
// true; errCut if it never is.
func (c *Client) stream(ctx context.Context, path string, order any, line func(text []byte) (over bool, err error)) error {
	body, err := json.Marshal(order)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	long := &http.Client{Transport: c.http.Transport} // no time limit
	resp, err := long.Do(req)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT):
		return ErrUnreachable
	case err != nil:
		return fmt.Errorf("ask the daemon: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refusedBy(resp)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if over, err := line(lines.Bytes()); over || err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errCut
}
