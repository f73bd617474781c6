package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

// explainer is crmsyncd explain.
type explainer struct {
	c          *cli
	cmd        *cobra.Command
	args       []string // the payload's file, if any
	source     string
	id, sample string
	asJSON     bool
	values     bool   // show personal values of an event of the ledger
	requests   string // "", or what is assumed
	diff       bool
	mapping    string // file or folder, for --watch
	stdin      []byte // read once, as --watch reads the rest again and again
}

func (c *cli) explain() *cobra.Command {
	x := &explainer{c: c}
	var watch bool
	cmd := &cobra.Command{
		Use:   "explain [PAYLOAD]",
		Short: "Show which records each rule would write for a payload, and why; sends nothing",
		Long: `Read a payload from a file, from standard input (-), from the ledger (--event) or
made up (--sample), and show for each rule whether it matches, or which part of
its when: does not hold, and the records that it would write, field by field:
the value, what it becomes in the CRM where check --live has seen the fields
before, and the formula. Nothing is sent.
With --requests the requests to the CRM are shown as well: a stand-in in this process
answers them, and nothing is sent. With --diff the CRM itself is read, and each
field shown as it is there and as it would be; nothing is written.
Of an event of the ledger, values that may be personal are not shown unless
--show-values is there. With --watch it goes on, and shows it anew whenever
settings, mapping or payload are saved.`,
		Example: "  crmsyncd explain payload.json\n  crmsyncd explain --watch payload.json\n  crmsyncd explain --sample call_voicemail\n  crmsyncd explain --event evt_17 --json\n  crmsyncd explain --requests payload.json\n  crmsyncd explain --diff --event evt_17",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			x.cmd, x.args = cmd, args
			if x.requests != "" && x.requests != assumeNew && x.requests != assumeFound {
				return usage("--requests is %s or %s", assumeNew, assumeFound)
			}
			if x.id != "" && x.sample != "" || len(args) > 0 && (x.id != "" || x.sample != "") {
				return usage("one payload at a time: a file, - for standard input, --event or --sample")
			}
			if watch {
				return x.watch()
			}
			return x.show()
		},
	}
	f := cmd.Flags()
	f.StringVar(&x.source, "source", "", "source that sent the payload (default: the only one)")
	f.StringVar(&x.id, "event", "", "explain this event of the ledger")
	f.StringVar(&x.sample, "sample", "", "explain a made-up payload; crmsyncd send --list names them")
	f.BoolVar(&x.asJSON, "json", false, "print JSON")
	f.BoolVar(&x.values, "show-values", false, "with --event: show names, numbers and what was said as well")
	f.StringVar(&x.requests, "requests", "", "show the requests to the CRM as well, offline: as if none of the records were there, or with =found, all of them")
	f.Lookup("requests").NoOptDefVal = assumeNew
	f.BoolVar(&x.diff, "diff", false, "read the CRM, and show what each field has and would be given; writes nothing")
	f.BoolVar(&watch, "watch", false, "show it anew whenever a file is saved, until Ctrl-C")
	return cmd
}

// show explains once.
func (x *explainer) show() error {
	build := x.c.build
	if x.diff { // the secrets are needed
		build = x.c.buildStrict
	}
	setup, problems := build()
	if setup != nil {
		x.mapping = setup.Settings.Mapping
	}
	if problems.Has(diag.Error) {
		return problems
	}
	ev, kept, err := x.c.explained(x.cmd, setup, x.args, x.source, x.id, x.sample, &x.stdin)
	if err != nil {
		return err
	}
	rules := setup.Explain(ev)
	fit(setup, rules)
	if x.id != "" && !x.values {
		for i := range rules {
			rules[i].Mask()
		}
	}
	out := x.cmd.OutOrStdout()
	sent, now, err := x.rehearsed(setup, ev, kept.Deliveries)
	switch {
	case err != nil:
		return err
	case x.asJSON && (x.diff || x.requests != ""):
		return errors.Join(printJSON(out, fullExplanation{rules, slices.Concat(sent, now)}), unasked(now))
	case x.asJSON:
		return printJSON(out, rules)
	}
	if err := printExplanation(out, colours(out), ev, kept.Mends, rules); err != nil {
		return err
	}
	printCompared(out, colours(out), now)
	if err := printRequests(out, sent); err != nil {
		return err
	}
	return unasked(now)
}

// rehearsed is what --requests and --diff show beside.
func (x *explainer) rehearsed(setup *app.Setup, ev *event.Event, known []admin.Delivery) (sent, now []rehearsed, err error) {
	mask := x.id != "" && !x.values
	if x.requests != "" {
		if sent = requests(x.cmd.Context(), setup, ev, x.requests); mask {
			hide(sent)
		}
	}
	if !x.diff {
		return sent, nil, nil
	}
	now, problems, err := x.c.compared(x.cmd.Context(), setup, ev, known)
	problems.Render(x.cmd.ErrOrStderr())
	if mask {
		hideChanges(now)
	}
	return sent, now, err
}

// explained finds the event to explain; kept is what the ledger has of it, if it is
// of the ledger.
func (c *cli) explained(cmd *cobra.Command, setup *app.Setup, args []string, source, id, sample string, stdin *[]byte) (ev *event.Event, kept admin.Event, err error) {
	if id == "" {
		ev, err = received(cmd, setup, args, source, sample, stdin)
		return ev, kept, err
	}
	seq, err := store.ParseEventID(id)
	if err != nil {
		return nil, kept, coded{exitUsage, err}
	}
	err = c.with(cmd.Context(), func(ops admin.Operations) error {
		kept, err = ops.Event(cmd.Context(), seq)
		return err
	})
	return kept.Planned(), kept, err
}

// received makes a payload, or one that is made up, the event to explain.
func received(cmd *cobra.Command, setup *app.Setup, args []string, source, sample string, stdin *[]byte) (*event.Event, error) {
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
		if body, err = sampler.Sample(sample, 17, time.Now()); err != nil {
			err = coded{exitUsage, err}
		}
	case len(args) == 0:
		return nil, usage("name a payload file, - for standard input, --event or --sample")
	case args[0] == "-":
		if *stdin == nil {
			*stdin, err = io.ReadAll(cmd.InOrStdin())
		}
		body = *stdin
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
