package cases

import (
	"fmt"
	"strings"
)

func (o Outcome) summary() string {
	switch n := len(o.Differences); {
	case o.Problem != "":
		return o.Problem
	case n == 1:
		return "1 difference"
	default:
		return fmt.Sprintf("%d differences", n)
	}
}

// Text tells every difference, by record, with the places of the case and of
// the rule.
func (o Outcome) Text() string {
	var b strings.Builder
	if o.Problem != "" {
		fmt.Fprintf(&b, "    %s\n", o.Problem)
	}
	head := ""
	for _, d := range o.Differences {
		now := d.Connector
		if d.Record != "" {
			now += ", " + d.Record
		}
		if d.Rule != "" {
			now += fmt.Sprintf(" (rule %q)", d.Rule)
		}
		if now != head {
			fmt.Fprintf(&b, "    %s\n", now)
			head = now
		}
		if d.Field == "" {
			fmt.Fprintf(&b, "      %s\n        at        %s\n", d.Message, d.At)
			if d.RuleAt != "" {
				fmt.Fprintf(&b, "        rule      %s\n", d.RuleAt)
			}
			continue
		}
		fmt.Fprintf(&b, "      %s: %s\n", d.Field, d.Message)
		line := func(label, text, at string) {
			if text != "" {
				fmt.Fprintf(&b, "        %-9s %s  (%s)\n", label, text, at)
			}
		}
		if d.Want == "" {
			d.Want = "not written"
		}
		line("expected", d.Want, d.At)
		came := d.Got
		if came == "" {
			came = "nothing"
		}
		if d.Formula != "" {
			came += "  by " + firstLine(d.Formula)
		}
		line("came out", came, d.RuleAt)
	}
	return b.String()
}

func firstLine(s string) string {
	line, rest, _ := strings.Cut(strings.TrimSpace(s), "\n")
	if rest != "" {
		line += " …"
	}
	return line
}
