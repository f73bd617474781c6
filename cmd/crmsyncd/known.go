package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

// knownSource refuses a source that neither the settings nor the ledger know, so
// that a misspelt one is not taken for an empty answer. One that was taken out of
// the settings is told of.
func (c *cli) knownSource(ctx context.Context, ops admin.Operations, name string) error {
	return c.known("source", name, func(s *config.Settings) []config.Block { return s.Sources }, func() (int, error) {
		list, err := ops.Events(ctx, store.EventFilter{Source: name, Limit: 1})
		return len(list), err
	})
}

// knownConnector is knownSource of connectors.
func (c *cli) knownConnector(ctx context.Context, ops admin.Operations, name string) error {
	return c.known("connector", name, func(s *config.Settings) []config.Block { return s.Connectors }, func() (int, error) {
		list, err := ops.Deliveries(ctx, store.DeliveryFilter{Connector: name, Limit: 1})
		return len(list), err
	})
}

func (c *cli) known(what, name string, of func(*config.Settings) []config.Block, kept func() (int, error)) error {
	setup, _ := c.build()
	if name == "" || setup == nil || setup.Settings == nil {
		return nil
	}
	var names []string
	for _, b := range of(setup.Settings) {
		names = append(names, b.Name)
	}
	if slices.Contains(names, name) {
		return nil
	}
	says := fmt.Sprintf("no %s is called %q; there are: %s", what, name, strings.Join(names, ", "))
	n, err := kept()
	switch {
	case err != nil:
		return err
	case n == 0:
		return coded{exitUsage, errors.New(says)}
	}
	fmt.Fprintf(os.Stderr, "crmsyncd: %s; this is what the ledger holds of it\n", says)
	return nil
}
