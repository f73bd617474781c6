package webhook

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// template is what a signature covers: texts and placeholders in their order.
type template []piece

type piece struct {
	text string   // plain, where name is ""
	name string   // of the placeholder: body, timestamp, url, url_encoded, fields, secret, header.X, raw.x
	path []string // of raw.x
}

var placeholders = []string{"body", "timestamp", "url", "url_encoded", "fields", "secret", "header.NAME", "raw.PATH"}

// template reads what is signed, as in "{timestamp}.{body}".
func (u *setup) template(n *diag.Node, source string) (t template) {
	bad := func(message, hint string) template {
		u.bad(n, message, hint)
		return nil
	}
	for rest := source; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		if before != "" {
			t = append(t, piece{text: before})
		}
		if !found {
			break
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed {
			return bad("{ is not closed", "add }")
		}
		rest = behind
		p := piece{name: name}
		header, isHeader := strings.CutPrefix(name, "header.")
		path, isPath := rawPath(name)
		switch {
		case isHeader:
			u.headerName(n, header)
		case isPath:
			p.path = path
		case !slices.Contains(placeholders[:6], name):
			return bad(fmt.Sprintf("unknown {%s}", name), known(name, placeholders))
		}
		t = append(t, p)
	}
	return t
}

func (t template) has(name string) bool {
	return slices.ContainsFunc(t, func(p piece) bool { return strings.EqualFold(p.name, name) })
}

// headers names the headers that are signed.
func (t template) headers() (names []string) {
	for _, p := range t {
		if name, ok := strings.CutPrefix(p.name, "header."); ok {
			names = append(names, name)
		}
	}
	return names
}

// fill gives what is signed, in parts that follow each other: once for every
// way in which the vendor may have written the address.
func (t template) fill(m *message, key []byte, stamp string) [][][]byte {
	addresses := []string{""}
	if t.has("url") || t.has("url_encoded") {
		addresses = spellings(m.URL)
	}
	out := make([][][]byte, len(addresses))
	for i, address := range addresses {
		for _, p := range t {
			part := []byte(p.text)
			switch header, isHeader := strings.CutPrefix(p.name, "header."); {
			case p.name == "":
			case p.name == "body":
				part = m.Body
			case p.name == "timestamp":
				part = []byte(stamp)
			case p.name == "url":
				part = []byte(address)
			case p.name == "url_encoded":
				part = []byte(encoded(address))
			case p.name == "fields":
				part = sortedFields(m)
			case p.name == "secret":
				part = key
			case isHeader:
				part = []byte(m.Header.Get(header))
			default:
				part = []byte(m.text(p.path))
			}
			out[i] = append(out[i], part)
		}
	}
	return out
}

// spellings are an address as it was called and, as vendors differ in that,
// with and without the port that is the scheme's anyway.
func spellings(u *url.URL) []string {
	if u == nil {
		return []string{""}
	}
	out := []string{u.String()}
	standard := map[string]string{"https": "443", "http": "80"}[u.Scheme]
	other := *u
	switch u.Port() {
	case "":
		other.Host = u.Host + ":" + standard
	case standard:
		other.Host = strings.TrimSuffix(u.Host, ":"+standard)
	default:
		return out
	}
	return append(out, other.String())
}

// encoded is an address with every character escaped that is no letter, digit
// or one of -_.~!*'() (encodeURIComponent of ECMAScript).
func encoded(s string) string {
	return strings.NewReplacer("+", "%20", "%21", "!", "%2A", "*", "%27", "'", "%28", "(", "%29", ")").Replace(url.QueryEscape(s))
}

// sortedFields are the names and values of a form's fields without anything
// between, in the order of the names; of a repeated name each value once.
func sortedFields(m *message) []byte {
	if !m.form {
		return nil
	}
	form, err := url.ParseQuery(string(m.Body))
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		values := slices.Clone(form[name])
		slices.Sort(values)
		for _, v := range slices.Compact(values) {
			b.WriteString(name)
			b.WriteString(v)
		}
	}
	return []byte(b.String())
}
