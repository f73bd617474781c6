package webhook

import (
	"embed"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

//go:embed presets/*.yaml
var presetFiles embed.FS

// Presets names the vendors whose settings are known.
func Presets() []string {
	entries, err := presetFiles.ReadDir("presets")
	if err != nil {
		panic(err) // it is embedded
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	return names
}

// PresetText is the settings of a preset as they are written; "" if there is none.
func PresetText(name string) string {
	if !slices.Contains(Presets(), name) {
		return ""
	}
	text, err := presetFiles.ReadFile("presets/" + name + ".yaml")
	if err != nil {
		panic(err)
	}
	return string(text)
}

// preset reads the settings of a preset.
func preset(name string) (Config, diag.Problems) {
	var c Config
	root, ps := diag.ReadYAML("preset "+name, []byte(PresetText(name)))
	if root == nil {
		return c, ps
	}
	return c, append(ps, root.Decode(&c)...)
}

// over gives the settings c with those of a preset where c leaves them out.
func (c Config) over(p Config) Config {
	if c.Auth == nil {
		c.Auth = p.Auth
	}
	first(&c.Body, p.Body)
	first(&c.Event, p.Event)
	first(&c.DeliveryID, p.DeliveryID)
	first(&c.DeliveryHeader, p.DeliveryHeader)
	first(&c.OccurredAt, p.OccurredAt)
	first(&c.Identity, p.Identity)
	first(&c.Joined, p.Joined)
	first(&c.CloseAfter, p.CloseAfter)
	first(&c.Answer, p.Answer)
	first(&c.Timezone, p.Timezone)
	c.Transcripts = append(slices.Clone(p.Transcripts), c.Transcripts...)
	c.Events = merged(c.Events, p.Events)
	c.Fields = merged(c.Fields, p.Fields)
	c.Statuses = merged(c.Statuses, p.Statuses)
	c.Directions = merged(c.Directions, p.Directions)
	c.Tables = merged(c.Tables, p.Tables)
	return c
}

func first[T comparable](v *T, fallback T) {
	var zero T
	if *v == zero {
		*v = fallback
	}
}

// merged adds to a mapping what it lacks of another.
func merged(n, more *diag.Node) *diag.Node {
	if n == nil || n.Null || more == nil {
		if n == nil || n.Null {
			return more
		}
		return n
	}
	out := *n
	out.Pairs = slices.Clone(n.Pairs)
	for _, p := range more.Pairs {
		if n.Get(p.Key.Value) == nil {
			out.Pairs = append(out.Pairs, p)
		}
	}
	return &out
}
