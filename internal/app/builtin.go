package app

import (
	"errors"
	"slices"
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
			ps := b.Decode(&c)
			if b.Unresolved {
				return nil, c.Access, ps // a secret that is missing; its problem is among the settings'
			}
			s, err := open(b.Name, c.Vendor, d)
			if err != nil {
				return nil, c.Access, besides(ps, b, err)
			}
			return s, c.Access, ps
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
	open   func(b config.Block, o connectors.Options) (connectors.Connector, config.ConnectorMode, diag.Problems)
}

// connectorSettings are the keys of a connector: those of all and those of its
// CRM.
type connectorSettings[C any] struct {
	Vendor C                    `yaml:",inline"`
	Mode   config.ConnectorMode `yaml:",inline"`
}

func newConnectorType[C any](open func(C, connectors.Options) (connectors.Connector, error), wave int) connectorType {
	var zero connectorSettings[C]
	return connectorType{
		config: zero,
		wave:   wave,
		open: func(b config.Block, o connectors.Options) (connectors.Connector, config.ConnectorMode, diag.Problems) {
			var c connectorSettings[C]
			ps := b.Decode(&c)
			if b.Unresolved {
				return nil, c.Mode, ps
			}
			conn, err := open(c.Vendor, o)
			if err != nil && b.StandIns {
				return nil, c.Mode, ps // an address, say, for which a random key stands; nothing is sent now
			}
			if err != nil || ps.Has(diag.Error) {
				return nil, c.Mode, besides(ps, b, err)
			}
			return conn, c.Mode, ps
		},
	}
}

// besides adds what a vendor says about its settings to what could not be read
// of them. Of a setting that could not be read the vendor knows nothing, and
// what it says then is left out.
func besides(unread diag.Problems, b config.Block, err error) diag.Problems {
	if err == nil {
		return unread
	}
	var more diag.Problems
	if !errors.As(err, &more) {
		more = diag.Problems{refused(b, err)}
	}
	all := unread
	for _, p := range more {
		at := setting(b, p)
		if !slices.ContainsFunc(unread, func(u diag.Problem) bool {
			return u.Severity == diag.Error && (at == "" || setting(b, u) == at)
		}) {
			all = append(all, p)
		}
	}
	return all
}

// setting is the key of the block that a problem is about; "" if it is about
// the block as a whole.
func setting(b config.Block, p diag.Problem) (key string) {
	for _, pair := range b.Node.Pairs {
		if v := pair.Value; v.Line < p.Pos.Line || v.Line == p.Pos.Line && v.Column <= p.Pos.Column {
			key = pair.Key.Value
		}
	}
	return key
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
