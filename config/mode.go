package config

import "github.com/crmsyncd/crmsyncd/internal/diag"

// ConnectorMode is what every connector has beside its vendor's settings.
type ConnectorMode struct {
	Mode Mode `yaml:"mode" doc:"shadow: find out what would be written to this CRM, and keep that with the deliveries, but write nothing; default live"`
}

// Shadow is true for a connector to which nothing is written.
func (m ConnectorMode) Shadow() bool { return m.Mode == modeShadow }

// Mode says whether a connector is written to.
type Mode string

const modeShadow = "shadow"

var modes = []string{"live", modeShadow}

// UnmarshalNode implements diag.Unmarshaler.
func (m *Mode) UnmarshalNode(n *diag.Node) diag.Problems { return oneOf(n, (*string)(m), modes) }
