package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/store"
)

// pageSize is how many entries are asked for at a time where all are wanted.
const pageSize = 1000

// listing is one of the listings, newest event first.
type listing[T any] struct {
	ask   func() ([]T, error) // one page, by the filter whose fields print sets
	event func(T) string      // id of an entry's event
	table func(io.Writer, []T) error
	// together says that entries of one event are not torn apart, so that a page
	// may be shorter than its limit though there are more.
	together bool
}

// print writes a page as a table and says if there may be more or, with
// --json, everything, unless --limit was given.
func (l listing[T]) print(cmd *cobra.Command, asJSON bool, before *uint64, limit *int) error {
	if asJSON && !cmd.Flags().Changed("limit") {
		return l.printAll(cmd.OutOrStdout(), before, limit)
	}
	list, err := l.ask()
	switch {
	case err != nil:
		return err
	case asJSON:
		return printJSON(cmd.OutOrStdout(), list)
	}
	if err := l.table(cmd.OutOrStdout(), list); err != nil {
		return err
	}
	if len(list) == 0 {
		return nil
	}
	last, more := l.event(list[len(list)-1]), *limit > 0 && len(list) >= *limit
	if !more && l.together {
		if *before, err = store.ParseEventID(last); err != nil {
			return err
		}
		*limit = 1
		behind, err := l.ask()
		if err != nil {
			return err
		}
		more = len(behind) > 0
	}
	if more {
		fmt.Fprintf(cmd.OutOrStdout(), "there may be more: add --before %s, or --limit\n", last)
	}
	return nil
}

func (l listing[T]) printAll(w io.Writer, before *uint64, limit *int) error {
	all := []T{}
	for *limit = pageSize; ; {
		list, err := l.ask()
		if err != nil {
			return err
		}
		all = append(all, list...)
		if len(list) == 0 || len(list) < pageSize && !l.together {
			return printJSON(w, all)
		}
		if *before, err = store.ParseEventID(l.event(list[len(list)-1])); err != nil {
			return err
		}
	}
}

// oneOf refuses a value that is none of those known, so that a misspelt filter
// is not taken for an empty answer.
func oneOf[T ~string](flag string, value T, known ...T) error {
	if value == "" || slices.Contains(known, value) {
		return nil
	}
	var names []string
	for _, k := range known {
		names = append(names, string(k))
	}
	hint := diag.DidYouMean(string(value), names)
	if hint == "" {
		hint = "it is one of " + strings.Join(names, ", ")
	}
	return fmt.Errorf("%s: there is no %q; %s", flag, value, hint)
}

// unknownName refuses a name that is not one of the settings' names.
func unknownName(what, name string, names []string) error {
	return usage("no %s %q is in the settings; %s", what, name, cmp.Or(diag.DidYouMean(name, names), "there are "+strings.Join(names, ", ")))
}

// inSettings refuses a source or a connector that the settings do not have; ""
// is none that was named.
func (c *cli) inSettings(source, connector string) error {
	setup, _ := c.build()
	if setup == nil || setup.Settings == nil {
		return nil // whoever needs them says so
	}
	var sources, connectors []string
	for _, b := range setup.Settings.Sources {
		sources = append(sources, b.Name)
	}
	for _, b := range setup.Settings.Connectors {
		connectors = append(connectors, b.Name)
	}
	switch {
	case source != "" && !slices.Contains(sources, source):
		return unknownName("source", source, sources)
	case connector != "" && !slices.Contains(connectors, connector):
		return unknownName("connector", connector, connectors)
	}
	return nil
}

func atLeastOne(limit int) error {
	if limit < 1 {
		return errors.New("--limit wants 1 or more")
	}
	return nil
}

func parseBefore(s string) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	seq, err := store.ParseEventID(s)
	if err != nil {
		return 0, coded{exitUsage, err}
	}
	return seq, nil
}

// parseTime reads a date, a time, or a length of time before now.
func parseTime(s string) (time.Time, error) {
	t, err := admin.ParseTime(s, time.Now(), time.Local)
	if err != nil {
		return t, coded{exitUsage, err}
	}
	return t, nil
}
