package webhook

import (
	"bytes"
	"encoding/json"
	"mime"
	"strconv"
	"time"

	"github.com/crmsyncd/crmsyncd/sources"
)

// isForm reports whether a body is read as a form.
func (s *Source) isForm(r *sources.Request) bool {
	if s.body != "" {
		return s.body == "form"
	}
	t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return t == sources.FormType
}

// read gives the payload as formulas see it, and its JSON where the body is
// none.
func (s *Source) read(r *sources.Request) (raw any, text json.RawMessage, problem string) {
	body := r.Body
	switch {
	case s.isForm(r):
		doc, text, err := sources.ReadForm(body)
		if err != nil {
			return nil, nil, err.Error()
		}
		return tree(doc), text, ""
	case s.body == "jwt" && !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")):
		t, err := readToken(body)
		if err != nil {
			return nil, nil, err.Error()
		}
		body, text = t.claims, t.claims
	}
	doc, err := sources.ReadJSON(body)
	switch {
	case err != nil:
		return nil, nil, err.Error()
	case !doc.IsObject():
		return nil, nil, "the payload is no JSON object"
	}
	return tree(doc), text, ""
}

// tree is a document in the types that formulas know.
func tree(v sources.Value) any {
	switch {
	case v.IsObject():
		m := make(map[string]any, 8)
		for name, member := range v.Members() {
			m[name] = tree(member)
		}
		return m
	case v.IsArray():
		items := []any{}
		for item := range v.Items() {
			items = append(items, tree(item))
		}
		return items
	}
	return v.Plain()
}

// withTime adds iat to the claims of a token that is being made.
func withTime(claims []byte, at time.Time) []byte {
	var doc map[string]json.RawMessage
	if json.Unmarshal(claims, &doc) != nil || doc == nil {
		return claims
	}
	doc["iat"] = strconv.AppendInt(nil, at.Unix(), 10)
	if text, err := json.Marshal(doc); err == nil {
		return text
	}
	return claims
}
