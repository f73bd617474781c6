package cases

import "encoding/json"

type schema = map[string]any

// JSONSchema returns the JSON Schema (draft-07) of mapping_test.yaml, for
// editors.
func JSONSchema() []byte {
	payload := schema{
		"type":        []string{"object", "array", "string"},
		"description": "What the vendor sends: written out as keys and values, as text below a |, or the name of a file beside this one.",
		"examples":    []any{"payloads/missed_call.json", schema{"event": "call_ended"}},
	}
	text := func(doc string, examples ...any) schema {
		s := schema{"type": "string", "description": doc}
		if len(examples) > 0 {
			s["examples"] = examples
		}
		return s
	}
	s := object("Cases of crmsyncd: payloads, and the records that shall come of them.", []string{"cases"}, schema{
		"version": schema{"const": 1, "description": "Version of this file's form."},
		"cases":   schema{"type": "array", "minItems": 1, "description": "The cases.", "items": schema{"$ref": "#/definitions/case"}},
	})
	s["$schema"] = "http://json-schema.org/draft-07/schema#"
	s["title"] = "crmsyncd mapping_test.yaml"
	s["definitions"] = schema{
		"case": object("One payload with what is expected of it.", []string{"name"}, schema{
			"name":         text("What is tried; unique.", "A missed call makes a task"),
			"source":       text("Name of the source in config.yaml that the payload comes from; may be left out if there is one only.", "telli"),
			"payload":      payload,
			"sample":       text("A made-up payload of the source, in place of payload; crmsyncd send --list names them.", "call_completed"),
			"earlier":      schema{"description": "What came of the same call before, oldest first.", "type": "array", "items": schema{"anyOf": []any{object("A made-up payload.", []string{"sample"}, schema{"sample": text("Its name.")}), payload}}},
			"content_type": text("Content type of the payload; by its look if left out.", "application/x-www-form-urlencoded"),
			"at":           text("When the payload came; when it happened if left out.", "2026-11-20T09:30:00Z"),
			"expect": schema{"description": "The records of each connector; connectors that are not named get nothing. crmsyncd test --update writes it.", "anyOf": []any{
				nothingSchema(),
				schema{"type": "object", "description": "Records by connector.", "additionalProperties": schema{"anyOf": []any{
					nothingSchema(), schema{"type": "array", "description": "The records that the connector gets.", "items": schema{"$ref": "#/definitions/record"}},
				}}},
			}},
		}),
		"record": object("One record, as the rules want it.", []string{"object"}, schema{
			"object": text("The CRM's name for this kind of record.", "contacts"),
			"as":     text("Name of the record, where the rule gives it one."),
			"match":  schema{"description": "Match alternatives that have values, in their order. Not compared if left out."},
			"skip":   schema{"type": []string{"boolean", "string"}, "description": "The record is skipped: true, or a part of the reason."},
			"fields": schema{"type": "object", "description": "All fields that are written, with their values before the CRM's own form; null empties a field."},
			"link":   schema{"description": "The records that it is linked to, as in mapping.yaml."},
		}),
	}
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(err) // plain maps and texts
	}
	return append(out, '\n')
}

func nothingSchema() schema {
	return schema{"const": nothing, "description": "No record."}
}

func object(description string, required []string, properties schema) schema {
	return schema{"type": "object", "description": description, "required": required, "properties": properties, "additionalProperties": false}
}
