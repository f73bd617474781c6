package mapping

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// maxShown bounds the options of one field in the schema; an editor shows no
// more.
const maxShown = 200

// JSONSchemaLive is JSONSchemaFor with the objects, fields and options that the
// accounts have, by connector. They complete what is written, and refuse
// nothing: that is for a check of the rules.
func JSONSchemaLive(opt Options, accounts map[string]connectors.Schema) []byte {
	s := mappingSchema(opt)
	definitions := s["definitions"].(schema)
	var byConnector []any
	for _, name := range slices.Sorted(maps.Keys(accounts)) {
		key := "record_" + name
		definitions[key] = accountSchema(accounts[name])
		byConnector = append(byConnector, schema{
			"if":   schema{"properties": schema{"to": schema{"const": name}}, "required": []string{"to"}},
			"then": schema{"properties": schema{"records": schema{"items": schema{"$ref": "#/definitions/" + key}}}},
		})
	}
	if byConnector != nil {
		definitions["rule"].(schema)["allOf"] = byConnector
	}
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(err) // plain maps and texts
	}
	return append(out, '\n')
}

// accountSchema is a record for one account.
func accountSchema(account connectors.Schema) schema {
	var objects []string
	var byObject []any
	for _, name := range slices.Sorted(maps.Keys(account)) {
		objects = append(objects, name)
		byObject = append(byObject, schema{
			"if":   schema{"properties": schema{"object": schema{"const": name}}, "required": []string{"object"}},
			"then": schema{"properties": objectSchema(account[name])},
		})
	}
	s := schema{"properties": schema{"object": suggested(objects)}}
	if byObject != nil {
		s["allOf"] = byObject
	}
	return s
}

func objectSchema(o connectors.Object) schema {
	fields := schema{connectors.ID: schema{"$ref": "#/definitions/field", "description": "The CRM's own id of the record: matched on, never written."}}
	names := []string{connectors.ID}
	for _, name := range slices.Sorted(maps.Keys(o.Fields)) {
		f := o.Fields[name]
		if f.ReadOnly {
			continue
		}
		names = append(names, name)
		fields[name] = liveField(f)
	}
	match := suggested(names)
	return schema{
		"fields": schema{"properties": fields},
		"match":  schema{"anyOf": []any{match, schema{"type": "array", "items": schema{"anyOf": []any{match, schema{"type": "array", "items": match}}}}}},
	}
}

// liveField suggests a field's options beside formulas.
func liveField(f connectors.Field) schema {
	choices := []any{schema{"$ref": "#/definitions/field"}}
	if len(f.Options) > 0 {
		var values, shown []string
		for _, o := range f.Options[:min(maxShown, len(f.Options))] {
			values = append(values, o.Value)
			shown = append(shown, o.Label)
		}
		choices = append(choices, schema{"enum": values, "enumDescriptions": shown})
	}
	return schema{"anyOf": choices, "description": describe(f)}
}

// describe tells people what a field is.
func describe(f connectors.Field) string {
	words := []string{}
	if f.Label != "" && f.Label != f.Name {
		words = append(words, f.Label)
	}
	kind := string(f.Type)
	if f.Native != "" {
		kind += " (" + f.Native + ")"
	}
	if f.Target != "" {
		kind += " of " + f.Target
	}
	words = append(words, kind)
	if f.Unique {
		words = append(words, "unique")
	}
	if f.MaxLength > 0 {
		words = append(words, fmt.Sprintf("at most %d characters", f.MaxLength))
	}
	return strings.Join(words, " · ")
}

// suggested completes to the names, and takes any other text.
func suggested(names []string) schema {
	if len(names) == 0 {
		return schema{"type": "string"}
	}
	return schema{"anyOf": []any{schema{"enum": names}, schema{"type": "string"}}}
}
