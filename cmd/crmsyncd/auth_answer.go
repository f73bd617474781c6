package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// callbackPath is where the vendor's page sends the browser.
const callbackPath = "/callback"

// reply tells the person in the browser how it ended.
type reply func(error)

// callback is an answer to a consent: by the browser, or pasted.
type callback struct {
	code  string
	err   error
	reply reply
}

var errNotOurs = errors.New("this is not the answer to the page above; open that page anew")

// waitForCode waits for the code of the consent with the state: from a browser
// at l, which it closes, or from a pasted address. Answers with another state
// are shown and not taken.
func waitForCode(ctx context.Context, l net.Listener, in io.Reader, out io.Writer, state string) (string, reply, error) {
	answers := make(chan callback)
	send := func(c callback) {
		select {
		case answers <- c:
		case <-ctx.Done():
		}
	}
	srv := &http.Server{Handler: callbackHandler(ctx, state, send), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 64 << 10}
	go func() { _ = srv.Serve(l) }()
	go readPasted(in, state, send)
	end := func() {
		// What was answered must still go out.
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = srv.Shutdown(late)
	}
	for {
		select {
		case c := <-answers:
			if errors.Is(c.err, errNotOurs) {
				c.reply(c.err)
				fmt.Fprintln(out, "Ignored:", c.err)
				continue
			}
			if c.err != nil {
				c.reply(c.err)
				end()
				return "", nil, c.err
			}
			return c.code, func(err error) { c.reply(err); end() }, nil
		case <-ctx.Done():
			end()
			return "", nil, context.Cause(ctx)
		}
	}
}

// readAnswer takes the code out of an answer's query.
func readAnswer(q url.Values, state string) (string, error) {
	switch {
	case q.Get("state") != state:
		return "", errNotOurs
	case q.Get("error") == "access_denied":
		return "", errors.New("the access was not allowed on the vendor's page; nothing was changed")
	case q.Has("error"):
		return "", fmt.Errorf("the vendor refused to ask for the access (%s); look at redirect address and scopes of the app there", errorWord(q.Get("error")))
	case q.Get("code") == "":
		return "", errors.New("the vendor's answer holds no code; begin again")
	}
	return q.Get("code"), nil
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,60}$`)

// errorWord shows an error's code, which anybody may have written, if it is one.
func errorWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "unknown error"
}

func callbackHandler(ctx context.Context, state string, send func(callback)) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+callbackPath, func(w http.ResponseWriter, r *http.Request) {
		code, err := readAnswer(r.URL.Query(), state)
		over := make(chan error, 1)
		send(callback{code, err, func(err error) { over <- err }})
		select {
		case err = <-over:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		h := w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, "crmsyncd did not get access: %v\n", err)
			return
		}
		fmt.Fprintln(w, "crmsyncd has access. You can close this window.")
	})
	return mux
}

// readPasted takes addresses that a person pastes, until one is the answer.
func readPasted(in io.Reader, state string, send func(callback)) {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		code, err := "", errNotOurs
		if u, bad := url.Parse(text); bad == nil && u.Path == callbackPath {
			code, err = readAnswer(u.Query(), state)
		}
		send(callback{code, err, func(error) {}})
	}
}
