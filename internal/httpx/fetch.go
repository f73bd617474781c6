package httpx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"time"
)

// Fetcher downloads what links lead to. Links come from vendors' events, so no
// private address is reached that Reach does not allow, also not by a redirect.
// It is safe for concurrent use.
type Fetcher struct {
	client *http.Client
	agent  string
	max    int64
}

// maxRedirects is how many are followed: links to recordings mostly lead to a
// store of files.
const maxRedirects = 5

// NewFetcher returns a Fetcher for files of at most max bytes. refusal is said
// of private addresses, and timeout is of a whole download.
func NewFetcher(agent string, max int64, timeout time.Duration, reach Reach, refusal Refusal) *Fetcher {
	return &Fetcher{agent: agent, max: max, client: &http.Client{
		Transport: Guarded(reach, refusal, http.ProxyFromEnvironment),
		Timeout:   timeout,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			r.Header.Del("Referer") // it would hold the link
			switch {
			case len(via) > maxRedirects:
				return errRedirects
			case r.URL.Scheme != "https" && via[len(via)-1].URL.Scheme == "https":
				return errDowngrade
			}
			return nil
		},
	}}
}

// Through has requests go another way than the network; nil changes nothing.
func (f *Fetcher) Through(send http.RoundTripper) *Fetcher {
	if send != nil {
		f.client.Transport = send
	}
	return f
}

var (
	errRedirects = errors.New("too many redirects")
	errDowngrade = errors.New("a redirect leads from https to http")
	errTooLong   = errors.New("the file is too large")
)

// Fetched is a downloaded file. It lies on disk, where nobody else can open it.
type Fetched struct {
	Type string // media type, without parameters; "" if the server does not say
	Size int64  // bytes
	file *os.File
}

// Open gives the file from its beginning; what it returns need not be closed.
func (f *Fetched) Open() (io.ReadCloser, error) {
	return io.NopCloser(io.NewSectionReader(f.file, 0, f.Size)), nil
}

// Close frees the disk.
func (f *Fetched) Close() error { return f.file.Close() }

// FetchError is a download that did not succeed. It names the host alone: the
// rest of a link may be all the secret that there is.
type FetchError struct {
	Host   string
	Status int    // of the answer; 0: there is none of use
	What   string // in words
	// Final: trying again later is of no use.
	Final bool
	cause error // a context's
}

// Error says what went wrong where.
func (e *FetchError) Error() string { return e.Host + ": " + e.What }

// Unwrap returns the context's error if the caller gave up, else nil.
func (e *FetchError) Unwrap() error { return e.cause }

// Fetch downloads a file. Its error is a *FetchError.
func (f *Fetcher) Fetch(ctx context.Context, link string) (*Fetched, error) {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, &FetchError{What: "the link is no http or https address", Final: true}
	}
	e := &FetchError{Host: u.Hostname()}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		e.What, e.Final = "the link is no http or https address", true
		return nil, e
	}
	r.Header.Set("User-Agent", f.agent)
	answer, err := f.client.Do(r)
	if err != nil {
		return nil, e.because(ctx, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		e.Status, e.What = answer.StatusCode, fmt.Sprintf("the link answered %d", answer.StatusCode)
		e.Final = answer.StatusCode < 500 && answer.StatusCode != http.StatusTooManyRequests && answer.StatusCode != http.StatusRequestTimeout
		return nil, e
	}
	got, err := f.keep(answer)
	if err != nil {
		return nil, e.because(ctx, err)
	}
	return got, nil
}

func (e *FetchError) because(ctx context.Context, err error) *FetchError {
	var refusal Refusal
	e.What = inWords(err)
	switch {
	case ctx.Err() != nil:
		e.cause, e.What = ctx.Err(), ctx.Err().Error()
	case errors.As(err, &refusal):
		e.Final = true
	case errors.Is(err, errRedirects), errors.Is(err, errDowngrade), errors.Is(err, errTooLong):
		e.Final = true
		for _, known := range []error{errRedirects, errDowngrade, errTooLong} {
			if errors.Is(err, known) {
				e.What = known.Error()
			}
		}
	}
	return e
}

// keep writes an answer's body to a file that has no name.
func (f *Fetcher) keep(answer *http.Response) (*Fetched, error) {
	if answer.ContentLength > f.max {
		return nil, errTooLong
	}
	file, err := os.CreateTemp("", "crmsyncd-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	n, err := io.Copy(file, io.LimitReader(answer.Body, f.max+1))
	if err == nil && n > f.max {
		err = errTooLong
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")) // what cannot be read is not known
	return &Fetched{Type: kind, Size: n, file: file}, nil
}
