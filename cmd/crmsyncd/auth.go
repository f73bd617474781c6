package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

// authListen is where the answer to a consent is waited for. The port is fixed,
// as the vendor must be told the address beforehand.
const authListen = "127.0.0.1:8789"

func (c *cli) auth() *cobra.Command {
	var listen string
	var noBrowser bool
	var patience time.Duration
	cmd := &cobra.Command{
		Use:   "auth CONNECTOR",
		Short: "Grant a connector access to its CRM account, in a browser",
		Long: `Grant a connector that has client_id and client_secret access to its account.
The command prints the vendor's page, waits on this machine for the answer,
trades it for tokens, and says for which account they are. The running daemon
keeps them in its ledger, encrypted, and goes on with what waited; where none
runs, the command writes the ledger itself, so run it as the service's user.

On a server without a browser open the page elsewhere. The browser then ends
at an address that does not answer: copy that address, and paste it here.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if patience <= 0 || patience > admin.ConsentLife {
				return usage("--timeout is at most %v", admin.ConsentLife)
			}
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), patience, fmt.Errorf("no answer came within %v; begin again", patience))
			defer cancel()
			return c.withGranter(ctx, args[0], func(g admin.Granter) error {
				a := asker{connector: args[0], granter: g, listen: listen, in: cmd.InOrStdin(), out: cmd.OutOrStdout()}
				if !noBrowser {
					a.open = openBrowser
				}
				return a.run(ctx)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", authListen, "where the answer is waited for, on this machine; its port is part of the redirect address that the vendor must know")
	f.BoolVar(&noBrowser, "no-browser", false, "print the page only")
	f.DurationVar(&patience, "timeout", 10*time.Minute, "how long the answer is waited for")
	return cmd
}

// withGranter runs do on the running daemon or, where none runs, on its ledger.
func (c *cli) withGranter(ctx context.Context, connector string, do func(admin.Granter) error) error {
	return c.withSecrets(ctx, func(s *app.Setup) bool { return s.Connectors[connector] != nil },
		func(client *admin.Client) error { return do(client) }, func(desk *admin.Desk) error { return do(desk) })
}

// withSecrets runs asked on the running daemon or, where none runs, own on its
// ledger. Then the secrets of what is concerned are needed here, for which
// built looks; what else is wrong with the settings is not in the way.
func (c *cli) withSecrets(ctx context.Context, built func(*app.Setup) bool, asked func(*admin.Client) error, own func(*admin.Desk) error) error {
	setup, problems := c.build()
	if setup == nil || setup.Settings == nil {
		return problems
	}
	client := clientOf(setup.Settings)
	if _, err := client.Status(ctx); !errors.Is(err, admin.ErrUnreachable) {
		if err != nil {
			return err
		}
		return asked(client)
	}
	setup, problems = c.buildStrict()
	if problems.Has(diag.Error) && (setup == nil || !built(setup)) {
		return problems
	}
	desk, end, err := openTokens(setup)
	if err != nil {
		return err
	}
	return errors.Join(own(desk), end())
}

// openTokens opens the ledger of settings whose daemon does not run, and lets
// the setup's connectors have the tokens in it until end.
func openTokens(setup *app.Setup) (desk *admin.Desk, end func() error, err error) {
	dir := setup.Settings.DataDir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	ledger, err := openLedger(setup, bolt.Options{Init: true})
	if errors.Is(err, store.ErrLocked) {
		return nil, nil, coded{exitUnreachable, fmt.Errorf("a daemon has the ledger open but does not answer at %s; is admin: the same in its settings?", setup.Settings.Admin)}
	}
	if err != nil {
		return nil, nil, err
	}
	desk, done := app.NewDesk(ledger, setup)
	return desk, func() error { done(); return ledger.Close() }, nil
}

// asker asks one person for one consent.
type asker struct {
	connector string
	granter   admin.Granter
	listen    string
	in        io.Reader
	out       io.Writer
	open      func(page string) bool // opens a browser; nil: none
}

func (a asker) run(ctx context.Context) error {
	host, _, err := net.SplitHostPort(a.listen)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return usage("--listen is an address of this machine alone, such as %s", authListen)
	}
	l, err := net.Listen("tcp", a.listen)
	if err != nil {
		return fmt.Errorf("%w; choose another port with --listen, and register its address at the vendor", err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	// Vendors allow http for the name localhost, some for no number.
	redirect := "http://localhost:" + port + callbackPath
	consent, err := a.granter.Consent(ctx, a.connector, redirect)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	fmt.Fprintf(a.out, "The app at the vendor must have this redirect address:\n  %s\n\nOpen this page, and allow the access:\n  %s\n\n", redirect, consent.Page)
	if a.open != nil && a.open(consent.Page) {
		fmt.Fprintln(a.out, "It should open in your browser now.")
	}
	fmt.Fprintln(a.out, "Waiting for the answer. If the browser shows an error at the end, paste the address that it shows:")
	code, reply, err := waitForCode(ctx, l, a.in, a.out, consent.State)
	if err != nil {
		return err
	}
	granted, err := a.granter.Grant(ctx, a.connector, consent.State, code)
	reply(err)
	if err != nil {
		return err
	}
	if granted.Before != "" {
		fmt.Fprintf(a.out, "Note: until now %s wrote to another account, %s.\n", a.connector, granted.Before)
	}
	fmt.Fprintf(a.out, "%s has access to %s.\n", a.connector, granted.Account)
	return nil
}

// openBrowser opens a page on a desktop; false where there is none.
func openBrowser(page string) bool {
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return false
	}
	return exec.Command("xdg-open", page).Start() == nil
}
