package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

func newSandbox() *cobra.Command {
	var listen string
	var tokens []string
	var unlimited bool
	var searchDelay, tokenLife, grace time.Duration
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Emulate the CRMs and the vendors' APIs on this machine",
		Long: `Emulate the CRMs' and the vendors' APIs on this machine, as strict as the real
ones: unknown fields, wrong types and values are refused, limits are kept. Point
base_url of a connector or source there, for example
base_url: http://127.0.0.1:9900/hubspot

See what is in it:    curl http://127.0.0.1:9900/_/records/hubspot/contacts
                      curl http://127.0.0.1:9900/_/requests?crm=hubspot
Let it misbehave:     curl -d '[{"crm":"hubspot","status":503,"times":3}]' http://127.0.0.1:9900/_/faults
                      docs/sandbox.md has all faults: hang, reset, html, huge, and more
Let it behave again:  curl -X DELETE http://127.0.0.1:9900/_/faults
Begin anew:           curl -X POST http://127.0.0.1:9900/_/reset`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o := sandbox.Options{Unlimited: unlimited, SearchDelay: searchDelay, TokenLife: tokenLife, RefreshGrace: grace, Tokens: map[string]string{}}
			for _, t := range tokens {
				crm, token, ok := strings.Cut(t, "=")
				if !ok || token == "" {
					return usage("--token is written crm=value")
				}
				o.Tokens[crm] = token
			}
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "sandbox at http://%s\n", l.Addr())
			return serveUntil(cmd.Context(), l, sandbox.New(o))
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:9900", "address; port 0 takes a free one")
	f.StringArrayVar(&tokens, "token", nil, "the only token accepted, as crm=value; may be given several times")
	f.BoolVar(&unlimited, "unlimited", false, "keep no rate limits")
	f.DurationVar(&searchDelay, "search-delay", 2*time.Second, "how long HubSpot's search takes to find a new record")
	f.DurationVar(&tokenLife, "token-life", 0, "how long access tokens given by OAuth are good (default as at the vendor)")
	f.DurationVar(&grace, "refresh-grace", 0, "how long a refresh token that was replaced is taken once more")
	return cmd
}

// serveUntil serves h on l until ctx ends.
func serveUntil(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
