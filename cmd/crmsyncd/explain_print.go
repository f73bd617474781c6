package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/mapping"
)

// paint colours a line for a terminal; elsewhere it does nothing.
type paint func(colour, text string) string

// The colours of terminals, which choose the shades themselves.
const (
	green = "\x1b[32m"
	red   = "\x1b[31m"
	faint = "\x1b[2m"
	reset = "\x1b[0m"
)

// colours paints on a terminal, unless NO_COLOR or TERM say not to.
func colours(w io.Writer) paint {
	f, ok := fileOf(w)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" || !isTerminal(f) {
		return func(_, text string) string { return text }
	}
	return painted
}

func painted(colour, text string) string { return colour + text + reset }

func printExplanation(w io.Writer, p paint, ev *event.Event, mends *admin.Mends, rules []mapping.Explanation) error {
	fmt.Fprintf(w, "%s from %s", ev.Type, ev.Source)
	if ev.Call != nil {
		fmt.Fprintf(w, ", call %s", visible(ev.Call.Status))
	}
	fmt.Fprintln(w)
	if mends != nil {
		fmt.Fprintln(w, mends)
	}
	brief := false // the rule before took one line
	for _, r := range rules {
		was := brief
		if brief = !r.Matched && len(r.Reads)+len(r.False) == 0; !was || !brief {
			fmt.Fprintln(w)
		}
		if !r.Matched {
			fmt.Fprintln(w, p(faint, fmt.Sprintf("– %s (%s): no, %s", r.Rule, r.Pos, r.Why)))
			explainWhen(w, r)
			continue
		}
		fmt.Fprintln(w, p(green, fmt.Sprintf("✓ %s (%s) → %s", r.Rule, r.Pos, r.Connector)))
		if r.Shadow {
			fmt.Fprintln(w, "    mode: shadow: nothing of this is written")
		}
		if r.Error != "" {
			fmt.Fprintln(w, p(red, "    FAILS: "+r.Error))
		}
		for _, rec := range r.Records {
			explainRecord(w, p, rec)
		}
	}
	return nil
}

// explainWhen shows what when: read; of several parts, those that do not hold.
func explainWhen(w io.Writer, r mapping.Explanation) {
	if len(r.False) == 0 {
		printReads(w, "    ", r.Reads)
	}
	for _, part := range r.False {
		fmt.Fprintf(w, "    %s is false\n", firstLine(part.Part))
		printReads(w, "      ", part.Reads)
	}
}

func printReads(w io.Writer, indent string, reads []mapping.Input) {
	for _, read := range reads {
		if read.Value == "…" { // a group of values
			continue
		}
		fmt.Fprintf(w, "%s%s is %s", indent, read.Path, value(read.Value))
		if read.Hint != "" {
			fmt.Fprintf(w, ": %s", visible(read.Hint))
		}
		fmt.Fprintln(w)
	}
}

func explainRecord(w io.Writer, p paint, rec mapping.ExplainedRecord) {
	fmt.Fprintf(w, "    %s", rec.Object)
	switch {
	case rec.Skip != "":
		fmt.Fprintf(w, ": skipped, %s", rec.Skip)
	case len(rec.Match) > 0:
		fmt.Fprintf(w, ", found by %s", visible(strings.Join(rec.Match, ", else ")))
	}
	fmt.Fprintln(w)
	// Colours would count as width, so the lines get theirs afterwards.
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, f := range rec.Fields {
		fmt.Fprintf(tw, "      %s\t%s\t%s%s\n", f.Name, value(f.Value), firstLine(f.Source), note(f))
	}
	tw.Flush()
	i := 0
	for line := range strings.Lines(b.String()) {
		f := rec.Fields[i]
		i++
		switch line = strings.TrimSuffix(line, "\n"); {
		case f.CRM != nil && f.CRM.Error != "":
			line = p(red, line)
		case !f.Written:
			line = p(faint, line)
		}
		fmt.Fprintln(w, line)
		if telling(f) {
			printReads(w, "          ", f.Reads)
		}
	}
	for _, l := range rec.Links {
		if l.Dropped {
			fmt.Fprintf(w, "      not linked to %s, which is skipped\n", l.To)
		} else {
			fmt.Fprintf(w, "      linked to %s%s\n", l.To, linkNote(l))
		}
	}
}

// linkNote tells apart several links to one record.
func linkNote(l mapping.ExplainedLink) string {
	switch {
	case l.Type != "":
		return " (type " + l.Type + ")"
	case l.Field != "":
		return " (field " + l.Field + ")"
	}
	return ""
}

// note says what else happens to a field.
func note(f mapping.ExplainedField) string {
	var notes []string
	if f.Written && f.Value == nil {
		notes = append(notes, "emptied in the CRM")
	}
	if !f.Written {
		notes = append(notes, "not written")
	} else if f.If != mapping.IfAlways && f.If != "" {
		notes = append(notes, "if "+string(f.If))
	}
	if c := f.CRM; c != nil {
		switch {
		case c.Error != "":
			notes = append(notes, "NOT TAKEN: "+c.Error)
		case c.Value != nil && f.Value != mapping.Masked && value(c.Value) != value(f.Value):
			notes = append(notes, "in the CRM "+value(c.Value))
		}
		if c.Note != "" {
			notes = append(notes, c.Note)
		}
	}
	if notes == nil {
		return ""
	}
	return "  (" + visible(strings.Join(notes, "; ")) + ")"
}

// telling reports whether what a formula read says more than its result does: a
// path alone is its result, and text shows what was filled in.
func telling(f mapping.ExplainedField) bool {
	if f.Value != nil && !strings.HasPrefix(f.Source, "=") {
		return false
	}
	if slices.ContainsFunc(f.Reads, func(in mapping.Input) bool { return in.Hint != "" }) {
		return true
	}
	if len(f.Reads) == 1 && reflect.DeepEqual(f.Reads[0].Value, f.Value) {
		return false
	}
	return len(f.Reads) > 1 || len(f.Reads) == 1 && strings.TrimSpace(strings.TrimPrefix(f.Source, "=")) != f.Reads[0].Path
}

// value shows a value on one line; nothing is "missing".
func value(v any) string {
	switch v := v.(type) {
	case nil:
		return "missing"
	case time.Time:
		return v.Format(time.RFC3339)
	case string:
		if v == mapping.Masked {
			return v
		}
		return short(fmt.Sprintf("%q", v))
	case json.Number:
		return v.String()
	case map[string]any: // in the body of a webhook
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err == nil {
			return visible(short(strings.TrimSpace(b.String())))
		}
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = value(item)
		}
		return short("[" + strings.Join(items, ", ") + "]")
	case []string:
		return value(connectors.AsList(v))
	}
	return short(fmt.Sprint(v))
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
