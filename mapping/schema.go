package mapping

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/crmsyncd/crmsyncd/event"
)

// JSONSchema returns the JSON Schema (draft-07) of mapping.yaml, for editors.
// It knows the form of the file; what formulas may name is checked by Read.
func JSONSchema() []byte {
	return JSONSchemaFor(Options{})
}

// JSONSchemaFor returns the schema with the names of the settings' sources and
// connectors as the only choices.
func JSONSchemaFor(opt Options) []byte {
	s := mappingSchema(opt)
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(err) // plain maps and texts
	}
	return append(out, '\n')
}

type schema = map[string]any

func mappingSchema(opt Options) schema {
	s := object("Rules of crmsyncd: which events become which records in which CRM.", []string{"version"}, schema{
		"version": schema{"const": 1, "description": "Version of this file's form."},
		"tables": schema{
			"type": "object", "description": `Lists of values by key for table("name", key); the key "*" is for all others.`,
			"additionalProperties": schema{"type": "object", "additionalProperties": plain("A plain value.")},
		},
		"rules": schema{"type": "array", "description": "The rules. Every rule that matches an event is applied.", "items": schema{"$ref": "#/definitions/rule"}},
	})
	s["$schema"] = "http://json-schema.org/draft-07/schema#"
	s["title"] = "crmsyncd mapping.yaml"
	s["definitions"] = schema{"rule": ruleSchema(opt), "record": recordSchema(), "field": fieldSchema(), "link": linkSchema()}
	return s
}

func ruleSchema(opt Options) schema {
	types := make([]string, len(event.Types))
	for i, t := range event.Types {
		types[i] = string(t)
	}
	names := slices.Sorted(maps.Keys(opt.Connectors))
	return object("One rule.", []string{"on", "to", "records"}, schema{
		"name":        text("Name of the rule in listings and reports; unique.", nil),
		"description": text("What the rule is for; read by people only.", nil),
		"enabled":     schema{"type": "boolean", "default": true, "description": "false switches the rule off."},
		"on":          oneOrMore(text("Type of event.", types), "Types of events that the rule applies to."),
		"from":        oneOrMore(text("Name of a source in config.yaml.", opt.Sources), "Sources whose events the rule applies to; all if left out."),
		"when":        schema{"type": []string{"string", "boolean"}, "description": `Formula that must be true, such as =call.status != "failed".`},
		"to":          text("Name of a connector in config.yaml.", names),
		"mode":        text("shadow: find out what the rule would write, and keep that with the delivery, but write nothing. live, if left out.", modes),
		"on_edit":     text("What reconcile does where a person changed what the rule wrote; if left out, as the settings say.", onEdits),
		"on_missing":  text("What reconcile does where the CRM has the record no more; if left out, as the settings say.", onMissings),
		"records":     schema{"type": "array", "minItems": 1, "description": "Records to be written, in this order.", "items": schema{"$ref": "#/definitions/record"}},
	})
}

func recordSchema() schema {
	name := text("Name of a field of this record, or $id.", nil)
	return object("One record that is to exist in the CRM.", []string{"object", "fields"}, schema{
		"object":  text("The CRM's name for this kind of record, such as contacts.", nil),
		"as":      text("Name of the record for links; the object if left out.", nil),
		"match":   oneOrMore(schema{"anyOf": []any{name, schema{"type": "array", "items": name, "description": "All of these must match."}}}, "Fields by which the record is found, tried in this order."),
		"create":  schema{"enum": []any{true, false, "always"}, "default": true, "description": "false: only update what is there. always: make a new one also where every match field is missing."},
		"on_many": text("Which one is meant where several are found; if left out, a person must decide.", []string{string(ManyNewest), string(ManyOldest), string(ManyAll)}),
		"fields":  schema{"type": "object", "minProperties": 1, "description": "The CRM's fields and their values. $id is the CRM's own record id: matched on, never written.", "additionalProperties": schema{"$ref": "#/definitions/field"}},
		"link":    oneOrMore(schema{"$ref": "#/definitions/link"}, "Earlier records of the same rule that this one is tied to."),
	})
}

func fieldSchema() schema {
	value := plain("=formula, text with {{ formula }}, or a plain value.")
	return schema{"anyOf": []any{value, object("A value with options.", []string{"value"}, schema{
		"value":   value,
		"if":      schema{"enum": []any{string(IfAlways), string(IfEmpty), string(IfChanged)}, "default": string(IfAlways), "description": "empty: only where the CRM has nothing. changed: only where crmsyncd wrote what stands there now."},
		"missing": schema{"enum": []any{"skip", "clear"}, "default": "skip", "description": "What to do where the value is missing: leave the field alone, or empty it."},
		"on_edit": text("What reconcile does where a person changed it; if left out, as the rule says.", onEdits),
	})}}
}

func linkSchema() schema {
	return schema{"anyOf": []any{text("Name (as) or object of an earlier record.", nil), object("A link with options.", []string{"to"}, schema{
		"to":    text("Name (as) or object of an earlier record.", nil),
		"field": text("The field that holds the link, in a CRM that links through fields.", nil),
		"type":  text("Label of the association, in a CRM that has labels.", nil),
	})}}
}

func object(description string, required []string, properties schema) schema {
	return schema{"type": "object", "description": description, "required": required, "properties": properties, "additionalProperties": false}
}

func text(description string, choices []string) schema {
	s := schema{"type": "string", "description": description}
	if len(choices) > 0 {
		s["enum"] = choices
	}
	return s
}

func plain(description string) schema {
	return schema{"type": []string{"string", "number", "boolean"}, "description": description}
}

func oneOrMore(item schema, description string) schema {
	return schema{"description": description, "anyOf": []any{item, schema{"type": "array", "minItems": 1, "items": item}}}
}
