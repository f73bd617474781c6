package webhook

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/sources"
)

// authenticator is one proof of the sender.
type authenticator interface {
	verify(m *message) (reason string) // "" if it is proven
	sign(m *message, id string, at time.Time)
	inBody() bool // sign puts another body in place
}

// message is a request with its body read at most once.
type message struct {
	*sources.Request
	form bool
	doc  *sources.Value
}

// text is the text or number at a path of the body; "" if there is none.
func (m *message) text(path []string) string {
	if m.doc == nil {
		var v sources.Value
		if m.form {
			v, _, _ = sources.ReadForm(m.Body)
		} else {
			v, _ = sources.ReadJSON(m.Body)
		}
		m.doc = &v
	}
	v := *m.doc
	for _, name := range path {
		v = v.Get(name)
	}
	return v.Text()
}

// replace puts another body in place.
func (m *message) replace(body []byte) { m.Body, m.doc = body, nil }

// single is the value of a header that must be there once.
func single(h http.Header, name string) (value, reason string) {
	switch values := h.Values(name); len(values) {
	case 0:
		return "", "no_signature"
	case 1:
		return values[0], ""
	}
	return "", "repeated_header"
}

// rawPath takes raw.a.b apart.
func rawPath(path string) ([]string, bool) {
	names := strings.Split(path, ".")
	return names[1:], len(names) > 1 && names[0] == "raw" && !slices.Contains(names, "")
}

// fits reports whether one of the secrets is the given one, in a time that
// tells nothing of them.
func fits(secrets [][]byte, given string) bool {
	sum, found := sha256.Sum256([]byte(given)), 0
	for _, s := range secrets {
		wanted := sha256.Sum256(s)
		found |= subtle.ConstantTimeCompare(sum[:], wanted[:])
	}
	return found == 1
}

// standardProof is a Standard Webhooks signature.
type standardProof struct{ *sources.StandardWebhooks }

func (p standardProof) verify(m *message) string {
	if err := p.Verify(m.Header, m.Body, m.At); err != nil {
		return err.Error()
	}
	return ""
}

func (p standardProof) sign(m *message, id string, at time.Time) { p.Sign(m.Header, id, at, m.Body) }
func (standardProof) inBody() bool                               { return false }

// headerProof is a secret in a header.
type headerProof struct {
	names   []string
	secrets [][]byte
}

func (u *setup) header(a Authenticator) authenticator {
	for _, name := range a.Header.Name {
		u.headerName(a.node.Get("name"), name)
	}
	return &headerProof{a.Header.Name, u.keys(a, a.Header.Secret)}
}

func (p *headerProof) verify(m *message) string {
	reason := "no_secret"
	for _, name := range p.names {
		value, problem := single(m.Header, name)
		if problem == "repeated_header" {
			return problem
		}
		if scheme, token, ok := strings.Cut(value, " "); ok && strings.EqualFold(scheme, "Bearer") {
			value = strings.TrimSpace(token)
		}
		switch {
		case value == "":
		case fits(p.secrets, value):
			return ""
		default:
			reason = "wrong_secret"
		}
	}
	return reason
}

func (p *headerProof) sign(m *message, _ string, _ time.Time) {
	m.Header.Set(p.names[0], string(p.secrets[0]))
}
func (*headerProof) inBody() bool { return false }

// fieldProof is a secret in the body.
type fieldProof struct {
	path    []string
	secrets [][]byte
}

func (u *setup) field(a Authenticator) authenticator {
	path, ok := rawPath(a.Field.Path)
	if !ok {
		u.bad(a.node.Get("path"), "wants a path in the payload", "write it like raw.token")
	}
	return &fieldProof{path, u.keys(a, a.Field.Secret)}
}

func (p *fieldProof) verify(m *message) string {
	switch given := m.text(p.path); {
	case given == "":
		return "no_secret"
	case !fits(p.secrets, given):
		return "wrong_secret"
	}
	return ""
}

// sign puts the secret into the body. One that cannot be read stays as it is.
func (p *fieldProof) sign(m *message, _ string, _ time.Time) {
	if m.form {
		if form, err := url.ParseQuery(string(m.Body)); err == nil {
			form.Set(strings.Join(p.path, "."), string(p.secrets[0]))
			m.replace([]byte(form.Encode()))
		}
		return
	}
	var doc map[string]json.RawMessage
	if json.Unmarshal(m.Body, &doc) != nil || doc == nil {
		return
	}
	if body, err := put(doc, p.path, string(p.secrets[0])); err == nil {
		m.replace(body)
	}
}
func (*fieldProof) inBody() bool { return true }

// put sets the value at a path of objects.
func put(doc map[string]json.RawMessage, path []string, value string) ([]byte, error) {
	if len(path) == 1 {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		doc[path[0]] = text
		return json.Marshal(doc)
	}
	inner := map[string]json.RawMessage{}
	if old := doc[path[0]]; old != nil {
		if err := json.Unmarshal(old, &inner); err != nil || inner == nil {
			inner = map[string]json.RawMessage{}
		}
	}
	text, err := put(inner, path[1:], value)
	if err != nil {
		return nil, err
	}
	doc[path[0]] = text
	return json.Marshal(doc)
}
