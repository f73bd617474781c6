package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/starter"
)

// ask asks for what no flag named.
func (w *wizard) ask() (err error) {
	c := &w.choice
	if c.Sender == "" {
		var options [][2]string
		for _, s := range starter.Senders() {
			options = append(options, [2]string{s.Name, s.Label})
		}
		chosen, err := w.choose("What sends?", options, false)
		if err != nil {
			return err
		}
		c.Sender = chosen[0]
	}
	if len(c.CRMs) == 0 {
		var options [][2]string
		for _, s := range starter.CRMs() {
			options = append(options, [2]string{s.Name, s.Label})
		}
		if c.CRMs, err = w.choose("Where does it go? Several with commas.", options, true); err != nil {
			return err
		}
	}
	if _, err := starter.FindSender(c.Sender); err != nil {
		return coded{exitUsage, err}
	}
	if _, err := starter.FindCRMs(c.CRMs); err != nil {
		return coded{exitUsage, err}
	}
	for _, q := range []struct {
		flag      string
		answer    *string
		question  string
		otherwise string
		wrong     func(string) string // what is wrong with it; "" if nothing
	}{
		{"--country", &c.Country, "Which country are numbers without country code of?", "DE", wrongCountry},
		{"--timezone", &c.Timezone, "Which time zone are times without one of?", "Europe/Berlin", wrongZone},
		{"--owner", &c.Owner, "Which CRM user gets calls of agents that the CRM does not know? An e-mail address, or nothing.", "", wrongAddress},
	} {
		if *q.answer, err = w.fitting(q.flag, *q.answer, q.question, q.otherwise, q.wrong); err != nil {
			return err
		}
	}
	return nil
}

// fitting gives what a flag says or, without one, asks until nothing is wrong.
func (w *wizard) fitting(flag, given, question, otherwise string, wrong func(string) string) (string, error) {
	if given != "" || w.yes {
		given = cmp.Or(given, otherwise)
		if why := wrong(given); why != "" {
			return "", usage("%s: %s", flag, why)
		}
		return given, nil
	}
	for range 5 {
		answer, err := w.line(question, otherwise)
		if err != nil {
			return "", err
		}
		why := wrong(answer)
		if why == "" {
			return answer, nil
		}
		fmt.Fprintf(w.out, "%s.\n", why)
	}
	return "", coded{exitUsage, errors.New("nothing fitting was answered, and nothing written")}
}

func wrongCountry(s string) string {
	if message, _ := config.CheckCountry(s); message != "" {
		return fmt.Sprintf("%q is no country; write two capital letters, such as DE", s)
	}
	return ""
}

func wrongZone(s string) string {
	if _, err := time.LoadLocation(s); err != nil || s == "Local" {
		return fmt.Sprintf("%q is no time zone; write it like Europe/Berlin", s)
	}
	return ""
}

func wrongAddress(s string) string {
	if s != "" && (!strings.Contains(s, "@") || strings.ContainsAny(s, " :#\"'{}[],")) {
		return fmt.Sprintf("%q is no e-mail address", s)
	}
	return ""
}

// choose takes names or numbers of options; nothing is the first.
func (w *wizard) choose(question string, options [][2]string, several bool) ([]string, error) {
	if w.yes {
		return []string{options[0][0]}, nil
	}
	fmt.Fprintf(w.out, "\n%s\n", question)
	for i, o := range options {
		fmt.Fprintf(w.out, "  %2d  %s", i+1, o[0])
		if o[0] != strings.ToLower(o[1]) {
			fmt.Fprintf(w.out, " (%s)", o[1])
		}
		fmt.Fprintln(w.out)
	}
	for range 5 {
		answer, err := w.line("Number or name", options[0][0])
		if err != nil {
			return nil, err
		}
		var chosen []string
		wrong := ""
		for word := range strings.FieldsFuncSeq(strings.ToLower(answer), func(r rune) bool { return r == ',' || r == ' ' }) {
			i := slices.IndexFunc(options, func(o [2]string) bool { return o[0] == word || strings.ToLower(o[1]) == word })
			if n, err := strconv.Atoi(word); err == nil {
				i = n - 1
			}
			if i < 0 || i >= len(options) {
				wrong = word
				break
			}
			chosen = append(chosen, options[i][0])
		}
		switch {
		case wrong != "":
			fmt.Fprintf(w.out, "There is no %q.\n", wrong)
		case len(chosen) > 1 && !several:
			fmt.Fprintln(w.out, "One only; further senders can be added to the files.")
		case len(chosen) > 0:
			return chosen, nil
		}
	}
	return nil, coded{exitUsage, errors.New("nothing was chosen, and nothing written")}
}

// line asks for one line; nothing is the answer that is offered.
func (w *wizard) line(question, otherwise string) (string, error) {
	if w.yes {
		return otherwise, nil
	}
	if otherwise != "" {
		question += " [" + otherwise + "]"
	}
	fmt.Fprintf(w.out, "%s ", question)
	text, err := w.in.ReadString('\n')
	if errors.Is(err, errStopped) {
		fmt.Fprintln(w.out)
		return "", fmt.Errorf("%w: nothing was written", err)
	}
	if err != nil && (text == "" || !errors.Is(err, io.EOF)) {
		fmt.Fprintln(w.out)
		return "", coded{exitUnexpected, errors.New("nothing was written: the input ended")}
	}
	return cmp.Or(strings.TrimSpace(text), otherwise), nil
}
