package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/live"
)

func TestProvisionTakesAnythingButYesForNo(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{"y\n": true, "YES\n": true, " yes \n": true, "\n": false, "": false, "n\n": false, "yep\n": false} {
		var out bytes.Buffer
		err := provisioner{in: strings.NewReader(answer), out: &out}.ask(t.Context(), 2)
		if (err == nil) != want || !strings.Contains(out.String(), "Make 2 fields now? [y/N] ") {
			t.Errorf("to %q: %v, %s", answer, err, out.String())
		}
		if code := exitCode(err); err != nil && code != exitProblems {
			t.Errorf("to %q: exit code %d, as if nothing were missing", answer, code)
		}
		if err != nil && !errors.Is(err, errShown) {
			t.Errorf("to %q: %v is told twice", answer, err)
		}
	}
}

func TestProvisionShowsEveryOptionOnlyWhereThereAreFew(t *testing.T) {
	t.Parallel()
	f := connectors.Field{Type: connectors.Select, Native: "enum"}
	for _, v := range strings.Split("a b c d e f g h", " ") {
		f.Options = append(f.Options, connectors.Option{Value: v})
	}
	if got, want := typeWords(f), "one option (enum): a, b, c, d, e, f, and 2 more"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProvisionAsksNobodyWhereThereIsNothingToMake(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := provisioner{in: strings.NewReader(""), out: &out, log: &out}
	if err := p.run(t.Context(), nil, nil); err != nil || !strings.Contains(out.String(), "Nothing to do") {
		t.Errorf("got %v, %s", err, out.String())
	}
	out.Reset()
	err := p.run(t.Context(), []live.Missing{{Account: live.Account{Name: "crm"}, Object: "roofs", Manual: "make it"}}, nil)
	if code := exitCode(err); code != exitProblems || !strings.Contains(out.String(), "crm  roofs") {
		t.Errorf("got %v, %s", err, out.String())
	}
}
