package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/app"
)

func (c *cli) backfill() *cobra.Command {
	var source, since, until string
	var o admin.BackfillOrder
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "backfill --source SOURCE --since TIME",
		Short: "Bring in what a vendor knows and webhooks did not tell",
		Long: `Ask a source's vendor what happened in a range of time, and bring in what is not
in the ledger. It becomes ordinary events with the origin backfill, by the same
rules and the same road. What is there already is known by its identity: bringing
it in twice, or a webhook that comes late, changes nothing.

The running daemon does it; where none runs, the command writes the ledger, and
the daemon delivers when it starts. It can be stopped with Ctrl-C: the same
command within a day goes on from there.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if source == "" || since == "" {
				return usage("say --source, whose vendor is to be asked, and --since when")
			}
			if o.Rate < 0 || o.Rate == 0 && cmd.Flags().Changed("rate") {
				return usage("--rate wants more than 0")
			}
			var err error
			if o.From, err = parseTime(since); err != nil {
				return err
			}
			if o.Until, err = parseTime(until); err != nil {
				return err
			}
			if o.Open = until == ""; o.Open {
				o.Until = time.Now()
			}
			if !o.From.Before(o.Until) {
				return usage("--since is to be before --until")
			}
			if err := c.inSettings(source, ""); err != nil {
				return err
			}
			o.Name = strings.TrimSpace(since + " " + until)
			return c.withBackfiller(cmd.Context(), source, func(b admin.Backfiller) error {
				return runBackfill(cmd, b, source, o, asJSON)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&source, "source", "", "source of the settings whose vendor is asked (required)")
	f.StringVar(&since, "since", "", "from when: 2026-03-04, 2026-03-04T09:30:00Z or a length of time such as 48h (required)")
	f.StringVar(&until, "until", "", "until when, written like --since; default: now")
	f.BoolVar(&o.DryRun, "dry-run", false, "only count what would be brought in")
	f.Float64Var(&o.Rate, "rate", 0, "requests to the vendor in a second at most; default: what the source's settings allow")
	f.BoolVar(&asJSON, "json", false, "print JSON at the end")
	return cmd
}

// withBackfiller runs do on the running daemon or, where none runs, on its ledger.
func (c *cli) withBackfiller(ctx context.Context, source string, do func(admin.Backfiller) error) error {
	return c.withSecrets(ctx, func(s *app.Setup) bool { return s.Sources[source] != nil },
		func(client *admin.Client) error { return do(client) }, func(desk *admin.Desk) error { return do(desk) })
}

func runBackfill(cmd *cobra.Command, b admin.Backfiller, source string, o admin.BackfillOrder, asJSON bool) error {
	bar := &bar{out: cmd.ErrOrStderr(), live: isScreen(cmd.ErrOrStderr()), began: time.Now(), title: source}
	p, err := b.Backfill(cmd.Context(), source, o, bar.show)
	bar.clear()
	switch {
	case err != nil && cmd.Context().Err() != nil:
		if p = bar.last; o.DryRun {
			return errors.New("stopped")
		}
		return fmt.Errorf("stopped after %s; the same command goes on from there", plural(p.Pages, "page"))
	case err != nil:
		if p.Pages > 0 && !o.DryRun {
			return fmt.Errorf("%w; the same command goes on after %s", err, plural(p.Pages, "page"))
		}
		return err
	case asJSON:
		return printJSON(cmd.OutOrStdout(), p)
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s, %s to %s: %d read", source, p.From.Local().Format("2006-01-02 15:04"), p.Until.Local().Format("2006-01-02 15:04"), p.Read)
	switch {
	case o.DryRun:
		fmt.Fprintf(out, ", %d would be new, %d known already", p.New, p.Known)
	default:
		fmt.Fprintf(out, ", %d new, %d known already", p.New, p.Known)
	}
	if p.Odd > 0 {
		fmt.Fprintf(out, ", %d of the new ones in quarantine", p.Odd)
	}
	fmt.Fprintf(out, " (%s, %v)\n", plural(p.Requests, "request"), time.Since(bar.began).Round(100*time.Millisecond))
	if p.Resumed {
		fmt.Fprintln(out, "it went on where it was stopped; the numbers are those of the whole")
	}
	return nil
}

// bar shows how far long work is: in one line of a terminal, else a line for
// every wait and every half minute.
type bar struct {
	out    io.Writer
	live   bool
	title  string
	began  time.Time
	first  admin.BackfillProgress // as it was when it began here
	last   admin.BackfillProgress
	told   time.Time
	drawn  bool
	within bool
}

const quietFor = 30 * time.Second

func (b *bar) show(p admin.BackfillProgress) {
	now := time.Now()
	if !b.within {
		b.within, b.first, b.told = true, p, now
		return // it has only begun
	}
	b.last = p
	line := b.line(p, now)
	switch {
	case b.live:
		fmt.Fprintf(b.out, "\r\x1b[K%s", line)
		b.drawn = true
	case p.Waiting != "" || now.Sub(b.told) >= quietFor:
		b.told = now
		fmt.Fprintln(b.out, line)
	}
}

func (b *bar) clear() {
	if b.drawn {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}

// line is one line: the part that is done, what was read, how fast, and how
// long it will take.
func (b *bar) line(p admin.BackfillProgress, now time.Time) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s ", b.title)
	if p.Part > 0 {
		const width = 24
		full := int(p.Part*width + 0.5)
		fmt.Fprintf(&s, "[%s%s] %3.0f%% ", strings.Repeat("#", full), strings.Repeat(".", width-full), p.Part*100)
	}
	fmt.Fprintf(&s, "%d read, %d new", p.Read, p.New)
	took := now.Sub(b.began)
	if took >= time.Second {
		fmt.Fprintf(&s, ", %.0f/s", float64(p.Read-b.first.Read)/took.Seconds())
	}
	// What a run before this one did took its own time.
	if done := p.Part - b.first.Part; p.Waiting == "" && took >= time.Second && done > 0 && p.Part < 1 {
		left := time.Duration(float64(took) * (1 - p.Part) / done)
		fmt.Fprintf(&s, ", about %v left", left.Round(time.Second))
	}
	if p.Waiting != "" {
		fmt.Fprintf(&s, "; %s, waits until %s", p.Waiting, p.WaitUntil.Local().Format(time.TimeOnly))
	}
	return s.String()
}

// isScreen tells whether what is written is seen at once, and may be rewritten.
func isScreen(w io.Writer) bool {
	f, ok := fileOf(w)
	return ok && os.Getenv("TERM") != "dumb" && isTerminal(f)
}
