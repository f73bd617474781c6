package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

func (c *cli) explain() *cobra.Command {
	var source, id, sample string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain [PAYLOAD]",
		Short: "Show which records each rule would write for a payload, and why; sends nothing",
		Long: `Read a payload from a file, from standard input (-), from the ledger (--event) or
made up (--sample), and show for each rule whether it matches and why not, and
the records that it would write, field by field. Nothing is sent.`,
		Example: "  crmsyncd explain payload.json\n  crmsyncd explain --sample call_voicemail\n  crmsyncd explain --event evt_17 --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			setup, problems := c.build()
			if problems.Has(diag.Error) {
				return problems
			}
			ev, err := c.explained(cmd, setup, args, source, id, sample)
			if err != nil {
				return err
			}
			rules := setup.Rules.Explain(ev)
			if asJSON {
				return printJSON(cmd.OutOrStdout(), rules)
			}
			return printExplanation(cmd.OutOrStdout(), ev, rules)
		},
	}
	f := cmd.Flags()
	f.StringVar(&source, "source", "", "source that sent the payload (default: the only one)")
	f.StringVar(&id, "event", "", "explain this event of the ledger")
	f.StringVar(&sample, "sample", "", "explain a made-up payload; crmsyncd send --list names them")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// explained finds the event to explain.
func (c *cli) explained(cmd *cobra.Command, setup *app.Setup, args []string, source, id, sample string) (*event.Event, error) {
	if id != "" {
		seq, err := store.ParseEventID(id)
		if err != nil {
			return nil, coded{exitUsage, err}
		}
		var ev event.Event
		err = c.with(cmd.Context(), func(ops admin.Operations) error {
			e, err := ops.Event(cmd.Context(), seq)
			ev = e.Event
			return err
		})
		return &ev, err
	}
	name, src, err := chooseSource(setup.Sources, source)
	if err != nil {
		return nil, err
	}
	var body []byte
	switch {
	case sample != "":
		sampler, ok := src.(sources.Sampler)
		if !ok {
			return nil, usage("this source has no built-in samples; give a payload file")
		}
		body, err = sampler.Sample(sample, 17, time.Now())
	case len(args) == 0:
		return nil, usage("name a payload file, - for standard input, --event or --sample")
	case args[0] == "-":
		body, err = io.ReadAll(cmd.InOrStdin())
	default:
		body, err = os.ReadFile(args[0])
	}
	if err != nil {
		return nil, err
	}
	e := store.Event{Source: name, Vendor: setup.Type(name), ReceivedAt: time.Now(), Origin: event.Webhook, Body: body, ContentType: app.ContentType(body)}
	if p := src.Parse(&sources.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {e.ContentType}}, Body: body, At: e.ReceivedAt}); p.Problem != "" {
		return nil, coded{exitProblems, fmt.Errorf("the payload would be kept in quarantine: %s", p.Problem)}
	}
	return setup.Parse(e)
}

func printExplanation(w io.Writer, ev *event.Event, rules []mapping.Explanation) error {
	fmt.Fprintf(w, "%s from %s", ev.Type, ev.Source)
	if ev.Call != nil {
		fmt.Fprintf(w, ", call %s", ev.Call.Status)
	}
	fmt.Fprintln(w)
	for _, r := range rules {
		fmt.Fprintln(w)
		if !r.Matched {
			fmt.Fprintf(w, "– %s (%s): no, %s\n", r.Rule, r.Pos, r.Why)
			for _, read := range r.Reads {
				fmt.Fprintf(w, "    %s is %s\n", read.Path, value(read.Value))
			}
			continue
		}
		fmt.Fprintf(w, "✓ %s (%s) → %s\n", r.Rule, r.Pos, r.Connector)
		if r.Error != "" {
			fmt.Fprintf(w, "    FAILS: %s\n", r.Error)
		}
		for _, rec := range r.Records {
			explainRecord(w, rec)
		}
	}
	return nil
}

func explainRecord(w io.Writer, rec mapping.ExplainedRecord) {
	fmt.Fprintf(w, "    %s", rec.Object)
	switch {
	case rec.Skip != "":
		fmt.Fprintf(w, ": skipped, %s", rec.Skip)
	case len(rec.Match) > 0:
		fmt.Fprintf(w, ", found by %s", strings.Join(rec.Match, ", else "))
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range rec.Fields {
		note := ""
		if !f.Written {
			note = "  (not written)"
		} else if f.If != mapping.IfAlways && f.If != "" {
			note = "  (if " + string(f.If) + ")"
		}
		fmt.Fprintf(tw, "      %s\t%s\t%s%s\n", f.Name, value(f.Value), firstLine(f.Source), note)
	}
	tw.Flush()
	for _, l := range rec.Links {
		if l.Dropped {
			fmt.Fprintf(w, "      not linked to %s, which is skipped\n", l.To)
		} else {
			fmt.Fprintf(w, "      linked to %s\n", l.To)
		}
	}
}

// value shows a value on one line; nothing is "missing".
func value(v any) string {
	switch v := v.(type) {
	case nil:
		return "missing"
	case time.Time:
		return v.Format(time.RFC3339)
	case string:
		return short(fmt.Sprintf("%q", v))
	case map[string]any: // in the body of a webhook
		text, err := json.Marshal(v)
		if err == nil {
			return short(string(text))
		}
	}
	return fmt.Sprint(v)
}

func short(s string) string {
	if runes := []rune(s); len(runes) > 60 {
		return string(runes[:59]) + "…"
	}
	return s
}

func firstLine(s string) string {
	line, rest, _ := strings.Cut(strings.TrimSpace(s), "\n")
	if rest != "" {
		line += " …"
	}
	return line
}
