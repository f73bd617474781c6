package main

import (
	"fmt"
	"runtime"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/app"
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

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:       "schema config|mapping",
		Short:     "Print the JSON Schema of config.yaml or mapping.yaml, for editors",
		Example:   "  crmsyncd schema mapping > mapping.schema.json",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"config", "mapping"},
		RunE: func(cmd *cobra.Command, args []string) error {
			text := mapping.JSONSchema()
			if args[0] == "config" {
				text = config.JSONSchema(app.SourceTypes(), app.ConnectorTypes())
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), string(text))
			return err
		},
	}
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
