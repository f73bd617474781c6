package cases

import (
	"encoding/xml"
	"fmt"
	"strings"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	File    string        `xml:"file,attr"`
	Line    int           `xml:"line,attr"`
	Failure *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",cdata"`
}

// JUnit reports outcomes in the form that CI servers read.
func JUnit(outcomes []Outcome) []byte {
	all := junitSuites{Tests: len(outcomes)}
	for _, o := range outcomes {
		n := len(all.Suites)
		if n == 0 || all.Suites[n-1].Name != o.Case.file.Name {
			all.Suites = append(all.Suites, junitSuite{Name: o.Case.file.Name})
			n++
		}
		suite := &all.Suites[n-1]
		suite.Tests++
		c := junitCase{Name: o.Case.Name, Class: o.Case.file.Name, File: o.Case.file.Name, Line: o.Case.Pos.Line}
		if !o.Passed() {
			suite.Failures++
			all.Failures++
			c.Failure = &junitFailure{Message: o.summary(), Text: o.Text()}
		}
		suite.Cases = append(suite.Cases, c)
	}
	out, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		panic(err) // plain texts and numbers
	}
	return append([]byte(xml.Header), append(out, '\n')...)
}

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
