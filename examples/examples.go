// Package examples carries ready settings and mappings to start from. Tests
// run every one of them, and the demo uses one.
package examples

import "embed"

// FS holds a directory for each example, with config.yaml and mapping.yaml.
//
//go:embed */*.yaml
var FS embed.FS
