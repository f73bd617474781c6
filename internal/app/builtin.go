package app

import (
	"errors"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/airtable"
	"github.com/crmsyncd/crmsyncd/connectors/hubspot"
	"github.com/crmsyncd/crmsyncd/connectors/pipedrive"
	"github.com/crmsyncd/crmsyncd/connectors/salesforce"
	"github.com/crmsyncd/crmsyncd/connectors/webhook"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/sources/respondio"
	"github.com/crmsyncd/crmsyncd/sources/sipgate"
	"github.com/crmsyncd/crmsyncd/sources/telli"
	"github.com/crmsyncd/crmsyncd/sources/voipgrid"
	anyvendor "github.com/crmsyncd/crmsyncd/sources/webhook"
)

// sourceTypes are the vendors that settings can name as a source's type.
var sourceTypes = map[string]sourceType{
	"respondio": newSourceType(respondio.New),
	"sipgate":   newSourceType(sipgate.New),
	"telli":     newSourceType(telli.New),
	"voipgrid":  newSourceType(voipgrid.New),
	"webhook":   sourceTypeOf(openAnyVendor),
}

// connectorTypes are the CRMs that settings can name as a connector's type.
var connectorTypes = map[string]connectorType{
	"airtable":   newConnectorType(airtable.New, 30*airtable.Batch),
	"hubspot":    newConnectorType(hubspot.New, 10*hubspot.Batch),
	"pipedrive":  newConnectorType(pipedrive.New, pipedrive.Wave),
	"salesforce": newConnectorType(salesforce.New, 5*salesforce.Batch),
	"webhook":    newConnectorType(webhook.New, 100*webhook.Batch),
}

type sourceType struct {
	config any // zero value of its settings
	open   func(b config.Block, d config.Defaults) (sources.Source, config.Access, diag.Problems)
}

// sourceSettings are the keys of a source: those of all and those of its vendor.
type sourceSettings[C any] struct {
	Vendor C             `yaml:",inline"`
	Access config.Access `yaml:",inline"`
}

func newSourceType[C any, S sources.Source](open func(name string, c C, country string) (S, error)) sourceType {
	return sourceTypeOf(func(name string, c C, d config.Defaults) (S, error) { return open(name, c, d.Country) })
}

func sourceTypeOf[C any, S sources.Source](open func(string, C, config.Defaults) (S, error)) sourceType {
	var zero sourceSettings[C]
	return sourceType{
		config: zero,
		open: func(b config.Block, d config.Defaults) (sources.Source, config.Access, diag.Problems) {
			var c sourceSettings[C]
			if ps := b.Decode(&c); ps.Has(diag.Error) {
				return nil, c.Access, ps
			}
			if b.Unresolved {
				return nil, c.Access, nil // a secret that is missing; its problem is among the settings'
			}
			s, err := open(b.Name, c.Vendor, d)
			var ps diag.Problems
			switch {
			case errors.As(err, &ps):
				return nil, c.Access, ps
			case err != nil:
				return nil, c.Access, diag.Problems{refused(b, err)}
			}
			return s, c.Access, nil
		},
	}
}

// openAnyVendor gives a source by settings the formulas of mapping.yaml.
func openAnyVendor(name string, c anyvendor.Config, d config.Defaults) (*anyvendor.Source, error) {
	if c.Timezone == "" && c.Preset == "" { // a preset knows its vendor's
		c.Timezone = d.Timezone
	}
	return anyvendor.New(name, c, d.Country, func(country string, zone *time.Location, tables *diag.Node) (anyvendor.Formulas, diag.Problems) {
		return mapping.NewFormulas(country, zone, tables)
	})
}

type connectorType struct {
	config any
	wave   int // deliveries in one wave: enough to fill many requests
	open   func(b config.Block, o connectors.Options) (connectors.Connector, diag.Problems)
}

func newConnectorType[C any](open func(C, connectors.Options) (connectors.Connector, error), wave int) connectorType {
	var zero C
	return connectorType{
		config: zero,
		wave:   wave,
		open: func(b config.Block, o connectors.Options) (connectors.Connector, diag.Problems) {
			var c C
			if ps := b.Decode(&c); ps.Has(diag.Error) {
				return nil, ps
			}
			if b.Unresolved {
				return nil, nil
			}
			conn, err := open(c, o)
			if err != nil && b.StandIns {
				return nil, nil // an address, say, for which a random key stands; nothing is sent now
			}
			if err != nil {
				return nil, diag.Problems{refused(b, err)}
			}
			return conn, nil
		},
	}
}

// refused is a vendor's error about its settings, at the setting that it names
// first, as in "signing_secret: too short".
func refused(b config.Block, err error) diag.Problem {
	setting, what, named := strings.Cut(err.Error(), ": ")
	n := b.Node.Get(setting)
	if !named || n == nil {
		return b.Node.Problem(err.Error(), "")
	}
	p := n.Problem(setting+": "+what, "")
	p.Line = "" // it may hold a secret
	return p
}

// SourceTypes and ConnectorTypes give the vendors' settings by type, for the
// JSON Schema.
func SourceTypes() map[string]any {
	out := map[string]any{}
	for name, t := range sourceTypes {
		out[name] = t.config
	}
	return out
}

// ConnectorTypes gives the CRMs' settings by type.
func ConnectorTypes() map[string]any {
	out := map[string]any{}
	for name, t := range connectorTypes {
		out[name] = t.config
	}
	return out
}
