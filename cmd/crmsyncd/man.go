package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newMan is for packaging: the pages cannot say anything else than the commands do.
func newMan() *cobra.Command {
	var date string
	cmd := &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages into a folder",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := time.Parse(time.DateOnly, date); date != "" && err != nil {
				return usage("--date wants a day such as 2026-11-22")
			}
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			for _, page := range append([]*cobra.Command{cmd.Root()}, pages(cmd.Root())...) {
				var b strings.Builder
				writePage(&b, page, date)
				if err := os.WriteFile(filepath.Join(args[0], pageName(page)+".8"), []byte(b.String()), 0o644); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&date, "date", "", "day that the pages show")
	return cmd
}

// pages are the commands with a page of their own: those right below root.
func pages(root *cobra.Command) (out []*cobra.Command) {
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" {
			out = append(out, c)
		}
	}
	return out
}

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

func writePage(w io.Writer, c *cobra.Command, date string) {
	name := pageName(c)
	fmt.Fprintf(w, ".TH %s 8 %q %q %q\n", strings.ToUpper(roff(name)), date, "crmsyncd "+version, "crmsyncd")
	fmt.Fprintf(w, ".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n", roff(name), roff(lowerFirst(c.Short)))
	if c.HasParent() {
		for _, u := range uses(c) {
			fmt.Fprintf(w, ".B %s\n.br\n", roff(u))
		}
	} else {
		fmt.Fprintln(w, ".B crmsyncd\n.I command\n.RI [ options ]")
	}
	fmt.Fprintln(w, ".SH DESCRIPTION")
	writeText(w, describeCommand(c))
	if !c.HasParent() {
		fmt.Fprintln(w, ".SH COMMANDS")
		for _, sub := range pages(c) {
			fmt.Fprintf(w, ".TP\n.BR %s (8)\n%s\n", roff(pageName(sub)), roff(sub.Short))
		}
	}
	for _, sub := range c.Commands() {
		if c.HasParent() && sub.IsAvailableCommand() {
			fmt.Fprintf(w, ".SS %s\n", roff(sub.UseLine()))
			writeText(w, describeCommand(sub))
			writeFlags(w, sub.NonInheritedFlags())
			writeExample(w, sub)
		}
	}
	fmt.Fprintln(w, ".SH OPTIONS")
	writeFlags(w, c.NonInheritedFlags())
	writeFlags(w, c.InheritedFlags())
	if c.Example != "" {
		fmt.Fprintln(w, ".SH EXAMPLES")
		writeExample(w, c)
	}
	if !c.HasParent() {
		fmt.Fprint(w, daemonSections)
	} else {
		fmt.Fprintln(w, ".SH SEE ALSO\n.BR crmsyncd (8)")
	}
}

// daemonSections are what no command says of itself.
const daemonSections = `.SH FILES
.TP
.I /etc/crmsyncd/config.yaml
Settings: sources, connectors, addresses, limits.
.TP
.I /etc/crmsyncd/mapping.yaml
Rules: which fields of which records in which CRM.
.TP
.I /etc/crmsyncd/secrets.env
Secrets as NAME=value, read by systemd for the service.
.TP
.I /var/lib/crmsyncd/ledger.db
The ledger: events, deliveries, what was written where.
.TP
.I /usr/share/doc/crmsyncd
All documents, and examples of settings and rules.
.SH SIGNALS
.TP
.B SIGHUP
Read settings and rules again. A broken file changes nothing.
.TP
.B SIGTERM, SIGINT
Begin nothing new in a CRM, let requests under way finish, and end; webhooks are taken until then. A second one ends at once.
.SH EXIT STATUS
0 fine; 1 unexpected; 2 usage; 3 problems in files; 4 the daemon cannot be reached.
.B crmsyncd serve
also: 74 input or output; 75 another instance runs; 78 settings or ledger that only a person can mend.
.SH ENVIRONMENT
.TP
.B NO_COLOR
No colours.
.TP
.B STATE_DIRECTORY
Where the ledger is, unless the settings say so; systemd sets it.
.SH SEE ALSO
.BR systemctl (1),
.BR journalctl (1)
`

func describeCommand(c *cobra.Command) string {
	if c.Long != "" {
		return c.Long
	}
	return c.Short + "."
}

// uses are the ways to call a command.
func uses(c *cobra.Command) (out []string) {
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			out = append(out, sub.UseLine())
		}
	}
	if len(out) == 0 {
		out = []string{c.UseLine()}
	}
	return out
}

func writeText(w io.Writer, text string) {
	for i, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			fmt.Fprintln(w, ".PP")
		}
		indented := strings.HasPrefix(paragraph, " ")
		if indented {
			fmt.Fprintln(w, ".nf")
		}
		for line := range strings.SplitSeq(paragraph, "\n") {
			fmt.Fprintln(w, roff(line))
		}
		if indented {
			fmt.Fprintln(w, ".fi")
		}
	}
}

func writeExample(w io.Writer, c *cobra.Command) {
	if c.Example != "" {
		fmt.Fprintf(w, ".PP\n.nf\n%s\n.fi\n", roff(c.Example))
	}
}

func writeFlags(w io.Writer, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		what, text := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		fmt.Fprintf(w, ".TP\n\\fB%s\\fR", roff(name))
		if what != "" {
			fmt.Fprintf(w, " \\fI%s\\fR", roff(what))
		}
		fmt.Fprintf(w, "\n%s\n", roff(text))
	})
}

var control = regexp.MustCompile(`(?m)^([.'])`)

// roff makes text stand for itself.
func roff(text string) string {
	text = strings.ReplaceAll(text, `\`, `\e`)
	text = strings.ReplaceAll(text, "-", `\-`)
	return control.ReplaceAllString(text, `\&$1`)
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
