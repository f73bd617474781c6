package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/examples"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

const demoExample = "telli-hubspot-airtable"

func newDemo() *cobra.Command {
	var once, asJSON bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it work: sandbox, daemon and sample calls in one process, nothing to configure",
		Long: `Start the sandbox and the daemon in one process, send sample calls, and show event
by event what became which record in which CRM. It stays until Ctrl-C, so that
you can send more from another terminal and open the dashboard in a browser;
--once ends when all deliveries are done, with exit code 1 if one is dead or a
record is missing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &demo{out: cmd.OutOrStdout(), once: once, json: asJSON}
			if asJSON {
				d.out = cmd.ErrOrStderr()
			}
			return d.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "end when all deliveries are done")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the resulting records as JSON; the story goes to standard error")
	return cmd
}

type demo struct {
	out     io.Writer // of the story
	once    bool
	json    bool
	sandbox *sandbox.Sandbox
	app     *app.App
	source  sources.Source
	config  string
	shown   map[string]bool // deliveries whose end was shown
}

// scene is one webhook of the story.
type scene struct {
	title  string
	sample string
	person int
	id     string // delivery id; the same twice is a retry
	forged bool
}

var story = []scene{
	{title: "a call, appointment made", sample: "call_completed", person: 17, id: "a"},
	{title: "the same webhook again, as a retry", sample: "call_completed", person: 17, id: "a"},
	{title: "nobody picked up", sample: "call_not_reached", person: 18, id: "b"},
	{title: "a mailbox", sample: "call_voicemail", person: 19, id: "c"},
	{title: "a short talk, to be called again", sample: "call_answered", person: 20, id: "d"},
	{title: "somebody who forges a signature", sample: "call_completed", person: 666, id: "e", forged: true},
	{title: "a contact's status changed", sample: "status_reached", person: 18, id: "f"},
	{title: "a second call with the first contact", sample: "call_answered", person: 17, id: "g"},
}

// wanted is what the story leaves in the sandbox.
var wanted = []struct {
	crm, object string
	records     int
}{{"hubspot", "contacts", 4}, {"hubspot", "calls", 5}, {"airtable", "Contacts", 4}, {"airtable", "Calls", 5}}

func (d *demo) run(ctx context.Context, stdout io.Writer) error {
	dir, err := os.MkdirTemp("", "crmsyncd-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	d.sandbox = sandbox.New(sandbox.Options{SearchDelay: 2 * time.Second})
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 2)
	go func() { ended <- serveUntil(running, l, d.sandbox) }()
	if err := d.start(dir, l.Addr().String()); err != nil {
		stop()
		return errors.Join(err, <-ended)
	}
	go func() { ended <- d.app.Run(running) }()
	err = d.play(ctx, stdout)
	stop()
	return errors.Join(err, <-ended, <-ended)
}

// start writes settings and mapping into dir and builds the daemon.
func (d *demo) start(dir, sandboxAddr string) error {
	mapping, err := examples.FS.ReadFile(demoExample + "/mapping.yaml")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "mapping.yaml"), mapping, 0o600); err != nil {
		return err
	}
	d.config = filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf(`listen: 127.0.0.1:0
admin: 127.0.0.1:0
data_dir: %s
mapping: mapping.yaml
defaults: {country: DE, timezone: Europe/Berlin}
sources:
  telli:
    type: telli
    signing_secret: %s
connectors:
  hubspot:
    type: hubspot
    access_token: demo
    base_url: http://%s/hubspot
  airtable:
    type: airtable
    access_token: demo
    base: appCrmsyncdDemo00
    base_url: http://%s/airtable
`, filepath.Join(dir, "data"), "whsec_"+base64.StdEncoding.EncodeToString([]byte(rand.Text())), sandboxAddr, sandboxAddr)
	if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
		return err
	}
	logger := func(config.Log) *slog.Logger {
		return slog.New(slog.NewTextHandler(d.out, &slog.HandlerOptions{Level: slog.LevelError}))
	}
	setup, problems := app.Build(d.config, version, logger)
	if err := problems.Err(); err != nil {
		return err
	}
	d.source = setup.Sources["telli"]
	if d.app, err = app.New(setup, d.config, version, logger); err != nil {
		return err
	}
	d.app.Judge(judged)
	// Commands find the daemon by the settings, which must name the port.
	text = strings.Replace(text, "admin: 127.0.0.1:0", "admin: "+d.app.Admin(), 1)
	if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "crmsyncd demo\n  webhooks   %s/hooks/telli\n  two CRMs   http://%s (the sandbox: HubSpot and Airtable)\n  dashboard  http://%s/ (for a browser)\n\n", d.app.URL(), sandboxAddr, d.app.Admin())
	return nil
}

const demoPatience = 2 * time.Minute

// play sends the story's webhooks and shows what comes of them.
func (d *demo) play(ctx context.Context, stdout io.Writer) error {
	d.shown = map[string]bool{}
	began := time.Now()
	for i, s := range story {
		if err := d.send(ctx, s, happened(i, began)); err != nil {
			return err
		}
	}
	fmt.Fprintln(d.out)
	dead, err := d.watch(ctx, began.Add(demoPatience))
	if err != nil {
		return err
	}
	missing := d.missing()
	for _, m := range missing {
		fmt.Fprintln(d.out, m)
	}
	if d.json {
		if err := printJSON(stdout, d.records()); err != nil {
			return err
		}
	}
	if d.once {
		if dead > 0 || len(missing) > 0 {
			return coded{exitUnexpected, fmt.Errorf("%s dead, %s not as expected", plural(dead, "delivery"), plural(len(missing), "kind of record"))}
		}
		fmt.Fprintf(d.out, "\nall delivered: each call is once in each CRM\n")
		return nil
	}
	fmt.Fprintf(d.out, "\nSend more from another terminal; what becomes of it shows here. Ctrl-C ends.\n  crmsyncd send --config %s --sample call_voicemail\n  crmsyncd events list --config %s\n\n", d.config, d.config)
	for ctx.Err() == nil {
		if _, err := d.show(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		pause(ctx, 300*time.Millisecond)
	}
	return nil
}

// happened is when what a scene tells of did, in a story that began at a time: one
// after the other just before, but for what comes twice with the same body.
func happened(scene int, began time.Time) time.Time {
	if story[scene].id == story[0].id {
		scene = 0
	}
	return began.Add(time.Duration(scene-len(story)) * time.Second)
}

// send posts one webhook as telli would.
func (d *demo) send(ctx context.Context, s scene, at time.Time) error {
	body, err := d.source.(sources.Sampler).Sample(s.sample, s.person, at)
	if err != nil {
		return err
	}
	src := d.source
	if s.forged {
		src = forger{}
	}
	answer, status, err := sender{source: src}.post(ctx, d.app.URL()+"/hooks/telli", body, "msg_demo_"+s.id)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "→ %-38s %d %s\n", s.title, status, answer)
	return nil
}

// forger signs with nothing but hope.
type forger struct{ sources.Source }

func (forger) Sign(r *sources.Request, id string, at time.Time) error {
	h := r.Header
	h.Set("svix-id", id)
	h.Set("svix-timestamp", fmt.Sprint(at.Unix()))
	h.Set("svix-signature", "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=")
	return nil
}

// watch shows deliveries until none waits, and returns how many are dead.
func (d *demo) watch(ctx context.Context, till time.Time) (dead int, err error) {
	for {
		waiting, err := d.show(ctx)
		if err != nil {
			return 0, err
		}
		if waiting == 0 {
			break
		}
		if time.Now().After(till) {
			return 0, fmt.Errorf("%s still waiting after %s", plural(waiting, "event"), demoPatience)
		}
		if pause(ctx, 50*time.Millisecond); ctx.Err() != nil {
			return 0, nil
		}
	}
	list, err := d.app.Desk().Deliveries(ctx, store.DeliveryFilter{State: store.Dead})
	return len(list), err
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// show prints what became of events since the last look, oldest first, and
// returns how many events still wait.
func (d *demo) show(ctx context.Context) (waiting int, err error) {
	list, err := d.app.Desk().Events(ctx, store.EventFilter{Limit: 200})
	if err != nil {
		return 0, err
	}
	for i := len(list) - 1; i >= 0; i-- {
		e := list[i]
		if e.State == store.Waiting {
			waiting++
		}
		for _, x := range e.Deliveries {
			if x.State == store.Waiting || d.shown[x.ID] {
				continue
			}
			d.shown[x.ID] = true
			fmt.Fprintf(d.out, "%-7s %-22s %-18s → %-9s %s\n", e.ID, e.Type, who(e), x.Connector, became(x))
		}
		if e.State == store.Unmatched && !d.shown[e.ID] {
			d.shown[e.ID] = true
			fmt.Fprintf(d.out, "%-7s %-22s %-18s no rule wanted it\n", e.ID, e.Type, who(e))
		}
	}
	return waiting, nil
}

func who(e admin.Event) string {
	if e.Contact == nil {
		return ""
	}
	return visible(e.Contact.FullName)
}

func became(x admin.Delivery) string {
	if x.State == store.Dead {
		return "DEAD: " + visible(x.Reason)
	}
	var parts []string
	for _, r := range x.Records {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Object, r.ID, r.Action)))
	}
	return strings.Join(parts, ", ")
}

// missing says which records are not as the story wants them.
func (d *demo) missing() []string {
	var out []string
	for _, w := range wanted {
		if n := len(d.sandbox.Records(w.crm, w.object)); n != w.records {
			out = append(out, fmt.Sprintf("%s has %d %s, want %d", w.crm, n, w.object, w.records))
		}
	}
	return out
}

// demoRecord is one record of the sandbox in --json.
type demoRecord struct {
	CRM    string `json:"crm"`
	Object string `json:"object"`
	sandbox.Record
}

func (d *demo) records() []demoRecord {
	out := []demoRecord{}
	for _, w := range wanted {
		for _, r := range d.sandbox.Records(w.crm, w.object) {
			out = append(out, demoRecord{w.crm, w.object, r})
		}
	}
	return out
}
