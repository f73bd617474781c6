package config

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// JSONSchema describes config.yaml to editors, for completion and help. The
// maps hold the Config of each vendor by type; its fields are described by
// their yaml and doc tags.
func JSONSchema(sources, connectors map[string]any) []byte {
	s := schemaOf(reflect.TypeFor[document]())
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "crmsyncd: config.yaml"
	properties := s["properties"].(map[string]any)
	for name, vendors := range map[string]map[string]any{"sources": sources, "connectors": connectors} {
		blocksSchema(properties[name].(map[string]any), vendors)
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(err) // only maps, lists and text are in it
	}
	return append(text, '\n')
}

// blocksSchema describes named blocks, each of one of the vendors' types.
func blocksSchema(s map[string]any, vendors map[string]any) {
	types := slices.Sorted(maps.Keys(vendors))
	var cases []any
	for _, t := range types {
		vendor := schemaOf(reflect.TypeOf(vendors[t]))
		vendor["properties"].(map[string]any)["type"] = map[string]any{"const": t}
		cases = append(cases, map[string]any{
			"if":   map[string]any{"properties": map[string]any{"type": map[string]any{"const": t}}, "required": []string{"type"}},
			"then": vendor,
		})
	}
	block := map[string]any{
		"type":       "object",
		"required":   []string{"type"},
		"properties": map[string]any{"type": map[string]any{"enum": types, "description": "the vendor"}},
	}
	if cases != nil {
		block["allOf"] = cases
	}
	s["type"] = "object"
	s["propertyNames"] = map[string]any{"pattern": blockName.String()}
	s["additionalProperties"] = block
}

// schemaOf describes a type as diag decodes it.
func schemaOf(t reflect.Type) map[string]any {
	enum := func(words []string) map[string]any { return map[string]any{"enum": words} }
	text := func(pattern string) map[string]any {
		return map[string]any{"type": []string{"string", "integer"}, "pattern": pattern}
	}
	list := func(item map[string]any) map[string]any {
		return map[string]any{"anyOf": []any{item, map[string]any{"type": "array", "items": item}}}
	}
	const reference = `^\$\{.*\}$`
	switch t {
	case reflect.TypeFor[time.Duration]():
		return map[string]any{"type": "string", "pattern": `^(([0-9.]+(ns|us|µs|ms|s|m|h))+|[0-9.]+d|0)$|` + reference, "examples": []string{"30s", "5m", "2h", "7d"}}
	case reflect.TypeFor[Bytes]():
		return text(`^[0-9.]+ *([kKmMgG][iI]?[bB]|[bB])?$|` + reference)
	case reflect.TypeFor[Networks]():
		return list(map[string]any{"type": "string"})
	case reflect.TypeFor[Level]():
		return enum(levels)
	case reflect.TypeFor[Format]():
		return enum(formats)
	case reflect.TypeFor[Ledger]():
		return enum(ledgers)
	case reflect.TypeFor[Mode]():
		return enum(modes)
	case reflect.TypeFor[Role]():
		return enum(roles)
	case reflect.TypeFor[OnEdit]():
		return enum(onEdits)
	case reflect.TypeFor[OnMissing]():
		return enum(onMissings)
	case reflect.TypeFor[Schedule]():
		return map[string]any{"type": "string", "examples": []string{"15 * * * *", "30 3 * * *", "@hourly", "@every 30m", "off"}}
	case reflect.TypeFor[*diag.Node](), reflect.TypeFor[blocks]():
		return map[string]any{}
	}
	switch t.Kind() {
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Pointer:
		return schemaOf(t.Elem())
	case reflect.Slice:
		return list(schemaOf(t.Elem()))
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem())}
	case reflect.Struct:
		return structSchema(t)
	}
	return map[string]any{"type": []string{"string", "number", "boolean"}}
}

func structSchema(t reflect.Type) map[string]any {
	properties := map[string]any{}
	required := []string{}
	for f := range diag.Keys(t) {
		name, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		p := schemaOf(f.Type)
		if doc := f.Tag.Get("doc"); doc != "" {
			p["description"] = doc
		}
		properties[name] = p
		if option == "required" {
			required = append(required, name)
		}
	}
	s := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}
