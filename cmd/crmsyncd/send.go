package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/sources"
)

func (c *cli) send() *cobra.Command {
	var source, file, sample, address, id string
	var times int
	var list bool
	cmd := &cobra.Command{
		Use:   "send",
		Short: "Sign and post a sample payload, as the vendor would",
		Long: `Sign a payload with the source's own secret and post it to the daemon, as the
vendor would. Without --file one of the built-in samples of invented people is
sent; --list names them.`,
		Example: "  crmsyncd send --source telli --sample call_completed\n  crmsyncd send --source telli --file payload.json --id msg_1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file != "" && sample != "" {
				return usage("one payload at a time: --file or --sample")
			}
			if times < 1 {
				return usage("--times wants 1 or more")
			}
			build := c.buildStrict
			if list { // which needs no secrets
				build = c.build
			}
			setup, problems := build()
			if setup == nil || len(setup.Sources) == 0 {
				return problems
			}
			if b := slices.ContainsFunc(setup.Settings.Sources, func(b config.Block) bool { return b.Name == source }); b && setup.Sources[source] == nil {
				return problems // it is there, and cannot be built
			}
			name, src, err := chooseSource(setup.Sources, source)
			if err != nil {
				return err
			}
			sampler, ok := src.(sources.Sampler)
			if list {
				if ok {
					fmt.Fprintln(cmd.OutOrStdout(), strings.Join(sampler.Samples(), "\n"))
				}
				return nil
			}
			from := sender{source: src, guard: setup.Guards[name]}
			if address == "" {
				at := listening(cmd.Context(), setup.Settings)
				address, from.public = "http://"+at+"/hooks/"+name, setup.Settings.PublicURL
				if setup.Settings.TLS.On() {
					address, from.secure = "https://"+at+"/hooks/"+name, trustingPort(setup.Settings.TLS, at)
				}
			}
			if sample == "" && sampler != nil {
				sample = sampler.Samples()[0]
			}
			var body []byte
			for i := range times {
				if i == 0 || file == "" { // standard input can be read once
					if body, err = payload(cmd.InOrStdin(), file, sample, sampler, i, sampleTime(id, time.Now())); err != nil {
						return err
					}
				}
				msg := id
				if msg == "" || times > 1 {
					msg = newMessageID()
				}
				answer, status, err := from.post(cmd.Context(), address, body, msg)
				if err != nil {
					return coded{exitUnreachable, err}
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%d %s\n", status, answer)
				if status != http.StatusOK {
					return coded{exitUnexpected, errShown}
				}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&source, "source", "", "source to send as (default: the only one)")
	f.StringVar(&file, "file", "", "file with the payload, - for standard input")
	f.StringVar(&sample, "sample", "", "built-in payload to send (default: the first that --list names)")
	f.StringVar(&address, "url", "", "where to post (default: the daemon's own address)")
	f.StringVar(&id, "id", "", "delivery id (default: a new one); the same id again is a retry")
	f.IntVar(&times, "times", 1, "how many samples to send, each of another person")
	f.BoolVar(&list, "list", false, "name the built-in payloads")
	return cmd
}

// listening is where the daemon takes webhooks: where it says so itself, as the
// settings may leave the port to it, else where they say.
func listening(ctx context.Context, s *config.Settings) string {
	if st, err := clientOf(s).Status(ctx); err == nil && st.Listen != "" {
		return st.Listen
	}
	return s.Listen
}

func chooseSource(known map[string]sources.Source, name string) (string, sources.Source, error) {
	if s, ok := known[name]; ok {
		return name, s, nil
	}
	var names []string
	for n := range known {
		names = append(names, n)
	}
	slices.Sort(names)
	if name == "" && len(names) == 1 {
		return names[0], known[names[0]], nil
	}
	if name == "" {
		return "", nil, usage("several sources are configured; choose one with --source: %s", strings.Join(names, ", "))
	}
	return "", nil, usage("no source is called %q; there are: %s", name, strings.Join(names, ", "))
}

// sampleTime is when a sample happened: now or, where a delivery id is given, a
// time that follows from it, so that the same id on the same day is the same
// payload, as a vendor's retry is.
func sampleTime(id string, now time.Time) time.Time {
	if id == "" {
		return now
	}
	h := fnv.New32a()
	h.Write([]byte(id))
	return now.Truncate(24 * time.Hour).Add(-time.Duration(h.Sum32()%86400) * time.Second)
}

func payload(stdin io.Reader, file, sample string, sampler sources.Sampler, n int, at time.Time) ([]byte, error) {
	switch {
	case file == "-":
		return io.ReadAll(stdin)
	case file != "":
		return os.ReadFile(file)
	case sampler == nil:
		return nil, usage("this source has no built-in samples; give a payload with --file")
	}
	body, err := sampler.Sample(sample, 17+n, at)
	if err != nil {
		return nil, coded{exitUsage, err}
	}
	return body, nil
}

func newMessageID() string { return "msg_" + rand.Text() }

// sender is a source whose vendor's requests can be made.
type sender struct {
	source sources.Source
	guard  *sources.Guard // may be nil
	// public is how vendors reach the daemon, where that is another address
	// than the one that is posted to; nil: they are the same. Some sign it.
	public *url.URL
	secure *tls.Config // of a daemon with TLS; nil: as usual
}

// post proves body as the source's vendor would and posts it.
func (s sender) post(ctx context.Context, address string, body []byte, id string) (answer string, status int, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", 0, usage("--url: %v", err)
	}
	r := &sources.Request{Method: http.MethodPost, URL: u, Header: http.Header{"Content-Type": {app.ContentType(body)}}, Body: body}
	if s.guard != nil {
		if r.Token = s.guard.Admit(); r.Token != "" {
			u.Path += "/" + r.Token
		}
	}
	if s.public != nil {
		r.URL = s.public.JoinPath(u.Path)
	}
	if signer, ok := s.source.(sources.Signer); ok {
		if err := signer.Sign(r, id, time.Now()); err != nil {
			return "", 0, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(r.Body))
	if err != nil {
		return "", 0, err
	}
	req.Header = r.Header
	client := http.DefaultClient
	if s.secure != nil {
		client = &http.Client{Transport: &http.Transport{TLSClientConfig: s.secure}}
		defer client.CloseIdleConnections()
	}
	resp, err := client.Do(req)
	if err != nil {
		if of, ok := errors.AsType[*url.Error](err); ok {
			err = of.Err // without the address, which may end in a token
		}
		return "", 0, fmt.Errorf("post to %s: %w", u.Host, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	var compact bytes.Buffer
	if json.Compact(&compact, text) == nil {
		text = compact.Bytes()
	}
	return strings.TrimSpace(string(text)), resp.StatusCode, err
}
