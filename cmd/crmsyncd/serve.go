package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/internal/sd"
)

func (c *cli) serve() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon",
		Long: `Run the daemon until SIGTERM or SIGINT. SIGHUP reloads settings and mapping:
everything new is built first, and a broken file changes nothing.

A second SIGTERM or SIGINT ends it at once, with 1: what is under way waits in the
ledger, as after a kill.

Exit codes: 0 stopped; 1 ended by a second signal; 74 input/output; 75 another instance runs;
78 settings or ledger that only a person can mend.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := serve(cmd.Context(), c.path(), cmd.ErrOrStderr()); err != nil {
				return coded{serveCode(err), err}
			}
			return nil
		},
	}
}

func serve(ctx context.Context, path string, stderr io.Writer) error {
	collectLater()
	manager, err := sd.FromEnvironment()
	if err != nil {
		return err
	}
	// Before all that takes time: a reload during the start would end it.
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	lines := newDaemonLog(stderr)
	defer lines.End()
	setup, problems := app.Build(path, version, lines.logger)
	if err := problems.Err(); err != nil {
		return err
	}
	log := setup.Log
	warn(log, problems)
	a, err := app.NewService(manager, setup, path, version, lines.logger)
	if err != nil {
		return err
	}
	a.CountDropped(lines.Dropped)
	a.Judge(judged)
	go func() {
		for {
			select {
			case <-hup:
				warn(log, a.Reload())
			case <-ctx.Done():
				return
			}
		}
	}()
	// The first of them ends ctx, the second ends all at once.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		<-signals
		lines.End()
		fmt.Fprintln(stderr, "crmsyncd: ended at once by a second signal; what was under way waits in the ledger")
		os.Exit(exitUnexpected)
	}()
	return a.Run(ctx)
}

func warn(log *slog.Logger, problems diag.Problems) {
	for _, p := range problems {
		level := slog.LevelWarn
		if p.Severity == diag.Error {
			level = slog.LevelError
		}
		log.Log(context.Background(), level, p.Message, "at", p.Pos.String(), "hint", p.Hint)
	}
}
