package fidelity

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Documents are Pipedrive's OpenAPI documents by version, as far as requests and
// answers can be held against them. They are thin: most of what is required is
// not said to be, and most of what may be null is not said to be either.
type Documents map[string]*document

type document struct {
	root  map[string]any
	paths places[map[string]any]
}

// Pipedrive reads pipedrive-openapi-v1.yaml and pipedrive-openapi-v2.yaml in a
// folder. Where they are missing the error wraps fs.ErrNotExist.
func Pipedrive(folder string) (Documents, error) {
	out := Documents{}
	for _, version := range []string{"v1", "v2"} {
		text, err := os.ReadFile(filepath.Join(folder, "pipedrive-openapi-"+version+".yaml"))
		if err != nil {
			return nil, err
		}
		d := &document{root: map[string]any{}, paths: places[map[string]any]{}}
		if err := yaml.Unmarshal(text, &d.root); err != nil {
			return nil, fmt.Errorf("pipedrive's document of %s: %w", version, err)
		}
		for path, item := range asMap(d.root["paths"]) {
			d.paths.add(path, asMap(item))
		}
		out[version] = d
	}
	return out, nil
}

// Check lists what of an exchange does not fit the documents. Refusals fit: no
// errors are documented to speak of.
func (ds Documents) Check(e Exchange) (out []string) {
	segments := strings.Split(strings.Trim(e.Path, "/"), "/")
	if segments[0] == "api" {
		segments = segments[1:]
	}
	d := ds[segments[0]]
	if d == nil || e.Status >= 400 {
		return nil
	}
	item, _ := d.paths.find(segments[1:])
	op := asMap(item[strings.ToLower(e.Method)])
	if op == nil {
		return []string{"the document has no such operation"}
	}
	out = d.query(e, op["parameters"], item["parameters"])
	if content := asMap(asMap(d.resolve(op["requestBody"]))["content"]); content != nil && strings.HasPrefix(e.ContentType, "application/json") {
		out = append(out, d.value("body", asMap(content["application/json"])["schema"], parse(e.Body), true)...)
	}
	r := d.resolve(asMap(op["responses"])[strconv.Itoa(e.Status)])
	if r == nil {
		return append(out, fmt.Sprintf("status %d is not in the document", e.Status))
	}
	return append(out, d.value("answer", asMap(asMap(r["content"])["application/json"])["schema"], parse(e.Answer), false)...)
}

// query holds a query against the parameters of an operation and of its path.
func (d *document) query(e Exchange, parameters ...any) (out []string) {
	known := map[string]bool{"api_token": true}
	for _, list := range parameters {
		for _, x := range asList(list) {
			p := d.resolve(x)
			if p["in"] != "query" {
				continue
			}
			name := fmt.Sprint(p["name"])
			known[name] = true
			if v := e.Query[name]; v != nil {
				out = append(out, d.plain("query "+name, p["schema"], v[0])...)
			} else if p["required"] == true {
				out = append(out, "query "+name+" is required")
			}
		}
	}
	for name := range e.Query {
		if !known[name] {
			out = append(out, "query "+name+" is not in the document")
		}
	}
	return out
}

func parse(text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	_ = d.Decode(&v) // nil is no object, and says so below
	return v
}

func asMap(v any) map[string]any { m, _ := v.(map[string]any); return m }
func asList(v any) []any         { l, _ := v.([]any); return l }

func (d *document) resolve(v any) map[string]any {
	m := asMap(v)
	for m["$ref"] != nil {
		var at any = d.root
		for _, key := range strings.Split(strings.TrimPrefix(m["$ref"].(string), "#/"), "/") {
			at = asMap(at)[key]
		}
		m = asMap(at)
	}
	return m
}

// flat puts the parts of allOf together.
func (d *document) flat(v any) map[string]any {
	s := d.resolve(v)
	if s["allOf"] == nil {
		return s
	}
	out, props, required := map[string]any{}, map[string]any{}, []any{}
	for _, part := range append(slices.Clone(asList(s["allOf"])), map[string]any{"properties": s["properties"], "required": s["required"]}) {
		p := d.flat(part)
		for k, x := range p {
			if x != nil {
				out[k] = x
			}
		}
		for k, x := range asMap(p["properties"]) {
			props[k] = x
		}
		required = append(required, asList(p["required"])...)
	}
	if len(props) > 0 {
		out["properties"], out["required"], out["type"] = props, required, "object"
	}
	return out
}

var hash = regexp.MustCompile(`^[0-9a-f]{40}$`)

// value holds a JSON value against a schema. null passes: it is how empty
// fields are shown and cleared, whatever the document says.
func (d *document) value(at string, schema, v any, sent bool) (out []string) {
	s := d.flat(schema)
	if v == nil || len(s) == 0 {
		return nil
	}
	if one := asList(s["oneOf"]); one != nil {
		for _, x := range one {
			if len(d.value(at, x, v, sent)) == 0 {
				return nil
			}
		}
		return []string{at + " fits none of the alternatives"}
	}
	wrong := func(want string) []string { return []string{fmt.Sprintf("%s is no %s: %v", at, want, v)} }
	switch s["type"] {
	case "object":
		m, ok := v.(map[string]any)
		if !ok {
			return wrong("object")
		}
		props := asMap(s["properties"])
		for _, name := range asList(s["required"]) {
			if _, there := m[name.(string)]; !there && (!sent || len(props) > 0) {
				out = append(out, at+"."+name.(string)+" is required")
			}
		}
		for k, x := range m {
			if p, known := props[k]; known {
				out = append(out, d.value(at+"."+k, p, x, sent)...)
			} else if props != nil && s["additionalProperties"] == nil && !hash.MatchString(k) {
				out = append(out, at+"."+k+" is not in the document")
			}
		}
	case "array":
		list, ok := v.([]any)
		if !ok {
			return wrong("array")
		}
		for i, x := range list {
			if i < 3 || i == len(list)-1 { // a page holds many alike
				out = append(out, d.value(fmt.Sprintf("%s[%d]", at, i), s["items"], x, sent)...)
			}
		}
	case "string":
		if _, ok := v.(string); !ok {
			return wrong("string")
		}
	case "boolean":
		if _, ok := v.(bool); !ok {
			return wrong("boolean")
		}
	case "integer", "number":
		n, ok := v.(json.Number)
		if !ok || s["type"] == "integer" && strings.ContainsAny(n.String(), ".eE") {
			return wrong(fmt.Sprint(s["type"]))
		}
	}
	return append(out, oneOf(at, s["enum"], v)...)
}

func oneOf(at string, enum, v any) []string {
	list := asList(enum)
	for _, x := range list {
		if fmt.Sprint(x) == fmt.Sprint(v) {
			return nil
		}
	}
	if list == nil {
		return nil
	}
	return []string{fmt.Sprintf("%s is none of %v: %v", at, list, v)}
}

// plain holds a query's text against a schema; lists are separated by commas.
func (d *document) plain(at string, schema any, text string) []string {
	s := d.flat(schema)
	switch s["type"] {
	case "integer":
		if _, err := strconv.Atoi(text); err != nil {
			return []string{at + " is no integer"}
		}
	case "boolean":
		if text != "true" && text != "false" {
			return []string{at + " is no boolean"}
		}
	}
	var out []string
	for part := range strings.SplitSeq(text, ",") {
		out = append(out, oneOf(at, s["enum"], part)...)
	}
	return out
}
