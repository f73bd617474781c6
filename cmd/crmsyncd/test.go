package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/cases"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// tester is what the flags of crmsyncd test ask for.
type tester struct {
	update, cover, asJSON bool
	junit, run            string
}

func (c *cli) test() *cobra.Command {
	var t tester
	cmd := &cobra.Command{
		Use:   "test [FILE]...",
		Short: "Try the mapping on payloads, and compare what comes out with what is expected",
		Long: `Read the cases of mapping_test.yaml beside the mapping (of mapping.d all files that
end in _test.yaml, of FILE only those), put each payload through the rules, and show
field by field what is not as expected. A case is a payload and the records of each
connector, or nothing. No secret is needed, nobody is asked, and nothing is sent.
Exits 3 if a case fails.`,
		Example: "  crmsyncd test\n  crmsyncd test --run 'missed call'\n  crmsyncd test --update\n  crmsyncd test --cover --junit report.xml",
		RunE: func(cmd *cobra.Command, args []string) error {
			setup, problems := c.build()
			if problems.Has(diag.Error) {
				return problems
			}
			return t.try(setup, args, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.BoolVar(&t.update, "update", false, "write what came out into the file, as what is expected from now on")
	f.BoolVar(&t.cover, "cover", false, "list the rules and fields that no case touches")
	f.StringVar(&t.run, "run", "", "try only the cases whose name matches this regular expression")
	f.StringVar(&t.junit, "junit", "", "write a report for CI servers to this file; - prints it instead of all else")
	f.BoolVar(&t.asJSON, "json", false, "print JSON")
	return cmd
}

func (t tester) try(setup *app.Setup, args []string, out io.Writer) error {
	files, err := caseFiles(setup, args)
	if err != nil {
		return err
	}
	wanted, err := regexp.Compile(t.run)
	if err != nil {
		return usage("--run: %v", err)
	}
	var outcomes []cases.Outcome
	for _, f := range files {
		for _, one := range f.Cases {
			if wanted.MatchString(one.Name) {
				outcomes = append(outcomes, setup.RunCase(one, filepath.Dir(f.Name)))
			}
		}
	}
	if len(outcomes) == 0 && t.run == "" {
		return coded{exitProblems, errors.New(`there are no cases: list them below "cases", each with name, payload and expect`)}
	} else if len(outcomes) == 0 {
		return coded{exitProblems, errors.New("no case has a name that matches --run")}
	}
	if t.update {
		if outcomes, err = t.rewrite(setup, files, outcomes, wanted, out); err != nil {
			return err
		}
	}
	return t.report(setup, outcomes, out)
}

// caseFiles reads the files with cases, and tells every problem of all.
func caseFiles(setup *app.Setup, names []string) ([]*cases.File, error) {
	if len(names) == 0 {
		if names = setup.CaseFiles(); len(names) == 0 {
			return nil, coded{exitProblems, fmt.Errorf("there are no cases: %s is not there. It holds payloads, each with the records that shall come of it; crmsyncd init makes one to begin with", setup.CaseFile())}
		}
	}
	var files []*cases.File
	var problems diag.Problems
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, coded{exitProblems, err}
		}
		f, ps := cases.Read(name, text, setup.CaseOptions())
		files, problems = append(files, f), append(problems, ps...)
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return files, nil
}

// rewrite writes what came out, and tries the cases as they then stand.
func (t tester) rewrite(setup *app.Setup, files []*cases.File, before []cases.Outcome, wanted *regexp.Regexp, out io.Writer) ([]cases.Outcome, error) {
	var outcomes []cases.Outcome
	for _, f := range files {
		text, n, err := f.Update(before)
		if err != nil {
			return nil, coded{exitProblems, err}
		}
		again, problems := cases.Read(f.Name, text, setup.CaseOptions())
		if err := problems.Err(); err != nil {
			return nil, err
		}
		if n > 0 {
			if err := replace(f.Name, text); err != nil {
				return nil, err
			}
			if !t.asJSON && t.junit != "-" {
				fmt.Fprintf(out, "%s: wrote what comes of %s\n", f.Name, plural(n, "case"))
			}
		}
		for _, one := range again.Cases {
			if wanted.MatchString(one.Name) {
				outcomes = append(outcomes, setup.RunCase(one, filepath.Dir(f.Name)))
			}
		}
	}
	return outcomes, nil
}

// replace writes a file that a person made anew, as a whole or not at all: a full
// disk leaves it as it was. Mode and owner stay; who may change the file and not
// put another in its place, as it is somebody else's, changes it.
func replace(path string, text []byte) (err error) {
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if errors.Is(err, fs.ErrPermission) {
		return os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if st, ok := info.Sys().(*syscall.Stat_t); ok && f.Chown(int(st.Uid), int(st.Gid)) != nil {
		return errors.Join(f.Close(), os.Remove(f.Name()), os.WriteFile(path, text, 0o600))
	}
	if _, err = f.Write(text); err == nil {
		err = f.Chmod(info.Mode().Perm())
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

type outcomeJSON struct {
	Name        string             `json:"name"`
	At          string             `json:"at"`
	Event       string             `json:"event,omitempty"`
	Passed      bool               `json:"passed"`
	Problem     string             `json:"problem,omitempty"`
	Differences []cases.Difference `json:"differences,omitempty"`
}

type testJSON struct {
	Cases    []outcomeJSON   `json:"cases"`
	Passed   int             `json:"passed"`
	Failed   int             `json:"failed"`
	Coverage *cases.Coverage `json:"coverage,omitempty"`
}

// report prints the outcomes. The error says that a case failed.
func (t tester) report(setup *app.Setup, outcomes []cases.Outcome, out io.Writer) error {
	if t.junit == "-" {
		if _, err := out.Write(cases.JUnit(outcomes)); err != nil {
			return err
		}
	} else if t.junit != "" {
		if err := os.WriteFile(t.junit, cases.JUnit(outcomes), 0o644); err != nil { //nolint:gosec // a report for others to read
			return err
		}
	}
	all := testJSON{Cases: []outcomeJSON{}}
	for _, o := range outcomes {
		j := outcomeJSON{Name: o.Case.Name, At: o.Case.Pos.String(), Passed: o.Passed(), Problem: o.Problem, Differences: o.Differences}
		if o.Event != nil {
			j.Event = string(o.Event.Type)
		}
		all.Cases = append(all.Cases, j)
		if o.Passed() {
			all.Passed++
		} else {
			all.Failed++
		}
	}
	if t.cover {
		cov := cases.Cover(setup.Rules, outcomes)
		all.Coverage = &cov
	}
	switch {
	case t.junit == "-": // nothing else, for programs
	case t.asJSON:
		if err := printJSON(out, all); err != nil {
			return err
		}
	default:
		printOutcomes(out, outcomes)
		if all.Coverage != nil {
			printCoverage(out, *all.Coverage)
		}
		if all.Failed > 0 {
			fmt.Fprintf(out, "\n%d of %s failed\nIf what came out is right, crmsyncd test --update expects it from now on.\n", all.Failed, plural(len(outcomes), "case"))
		} else {
			fmt.Fprintf(out, "\n%s passed\n", plural(all.Passed, "case"))
		}
	}
	if all.Failed > 0 {
		return coded{exitProblems, errShown}
	}
	return nil
}

func printOutcomes(w io.Writer, outcomes []cases.Outcome) {
	for _, o := range outcomes {
		if o.Passed() {
			fmt.Fprintf(w, "✓ %s\n", o.Case.Name)
			continue
		}
		fmt.Fprintf(w, "✗ %s (%s)", o.Case.Name, o.Case.Pos)
		if o.Event != nil {
			fmt.Fprintf(w, ": %s", o.Event.Type)
			if c := o.Event.Call; c != nil && c.Status != "" {
				fmt.Fprintf(w, ", call %s", c.Status)
			}
		}
		fmt.Fprintf(w, "\n%s", o.Text())
	}
}

func printCoverage(w io.Writer, cov cases.Coverage) {
	fmt.Fprintf(w, "\nTouched: %d of %s, %d of %s\n", cov.Touched, plural(cov.Rules, "rule"), cov.Given, plural(cov.Fields, "field"))
	for _, m := range cov.Missed {
		if m.Field == "" {
			fmt.Fprintf(w, "  %s: no case matches rule %q\n", m.At, m.Rule)
		} else {
			fmt.Fprintf(w, "  %s: no case gives %s of %s a value (rule %q)\n", m.At, m.Field, m.Object, m.Rule)
		}
	}
}
