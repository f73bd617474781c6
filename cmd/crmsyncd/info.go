package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/cases"
	"github.com/crmsyncd/crmsyncd/internal/live"
	"github.com/crmsyncd/crmsyncd/mapping"
)

func newFunctions() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "functions",
		Short: "List the functions of formulas, each with an example",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list := mapping.Functions()
			if asJSON {
				return printJSON(cmd.OutOrStdout(), list)
			}
			tw := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, f := range list {
				fmt.Fprintf(tw, "%s\t%s\n\t  =%s  →  %s\n", f.Signature, f.Doc, f.Example, f.Result)
			}
			return tw.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (c *cli) schema() *cobra.Command {
	var asked bool
	var only string
	cmd := &cobra.Command{
		Use:   "schema config|mapping|test",
		Short: "Print the JSON Schema of config.yaml, mapping.yaml or mapping_test.yaml, for editors",
		Long: `Print the JSON Schema of config.yaml, mapping.yaml or mapping_test.yaml, from which an
editor completes keys and shows their help. With --live the one of mapping.yaml also knows the
accounts' own objects, fields and options.`,
		Example:   "  crmsyncd schema mapping > mapping.schema.json\n  crmsyncd schema mapping --live > mapping.schema.json",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"config", "mapping", "test"},
		RunE: func(cmd *cobra.Command, args []string) error {
			text := mapping.JSONSchema()
			switch {
			case asked && args[0] != "mapping":
				return usage("--live is for the schema of the mapping")
			case only != "" && !asked:
				return usage("--connector goes with --live")
			case args[0] == "test":
				text = cases.JSONSchema()
			case args[0] == "config":
				text = config.JSONSchema(app.SourceTypes(), app.ConnectorTypes())
			case asked:
				var err error
				if text, err = c.liveSchema(cmd.Context(), only); err != nil {
					return err
				}
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), strings.TrimSuffix(string(text), "\n"))
			return err
		},
	}
	f := cmd.Flags()
	f.BoolVar(&asked, "live", false, "ask the CRM accounts for their objects, fields and options")
	f.StringVar(&only, "connector", "", "with --live: ask this connector's account only")
	return cmd
}

// liveSchema is the mapping's schema with what the accounts have. The mapping
// itself may be broken: it is being written.
func (c *cli) liveSchema(ctx context.Context, only string) ([]byte, error) {
	setup, problems := c.buildStrict()
	if setup == nil || setup.Settings == nil || setup.Connectors == nil {
		return nil, problems
	}
	accounts, problems, done, err := c.accounts(ctx, setup, only)
	if err != nil {
		return nil, err
	}
	var writes []mapping.Write
	if setup.Rules != nil {
		writes = setup.Rules.Writes()
	}
	schemas, more := live.Schemas(ctx, writes, accounts)
	if err := errors.Join(append(problems, more...).Err(), done()); err != nil {
		return nil, err
	}
	opt := mapping.Options{Connectors: map[string]string{}}
	for _, b := range setup.Settings.Connectors {
		opt.Connectors[b.Name] = b.Type
	}
	for _, b := range setup.Settings.Sources {
		opt.Sources = append(opt.Sources, b.Name)
	}
	return mapping.JSONSchemaLive(opt, schemas), nil
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "crmsyncd %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
