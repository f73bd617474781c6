package config

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// Env is where values from outside the file come from. Zero fields stand for
// this process's own.
type Env struct {
	Getenv         func(name string) (string, bool)
	ReadFile       func(path string) ([]byte, error)
	CredentialsDir string // of systemd; $CREDENTIALS_DIRECTORY
	// Offline is for commands that send and receive nothing: a reference that
	// leads nowhere is no problem then, and stands for a random key that
	// nobody knows.
	Offline bool

	dir    string              // folder of the settings file
	broken map[*diag.Node]bool // values with a reference that leads nowhere
	stood  map[*diag.Node]bool // values in which, offline, a random key stands for one
}

// System is the environment of this process.
func System() Env { return Env{} }

func (e Env) filled(dir string) Env {
	e.dir, e.broken, e.stood = dir, map[*diag.Node]bool{}, map[*diag.Node]bool{}
	if e.Getenv == nil {
		e.Getenv = os.LookupEnv
	}
	if e.ReadFile == nil {
		e.ReadFile = os.ReadFile
	}
	if e.CredentialsDir == "" {
		e.CredentialsDir, _ = e.Getenv("CREDENTIALS_DIRECTORY")
	}
	return e
}

// path joins a relative path with the folder of the settings file.
func (e Env) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(e.dir, p)
}

// maxSecretFile is more than any key or token has; what is larger is another file.
const maxSecretFile = 64 << 10

// interpolate fills in ${NAME}, ${file:PATH} and ${credential:NAME} in every
// value, after the YAML is read, so that no character of a secret can be taken
// for syntax. $${ stands for ${. Keys are left alone.
func (e Env) interpolate(n *diag.Node) (ps diag.Problems) {
	for _, p := range n.Pairs {
		ps = append(ps, e.interpolate(p.Value)...)
	}
	for _, item := range n.Items {
		ps = append(ps, e.interpolate(item)...)
	}
	if n.Shape == diag.Scalar && shellReference.MatchString(n.Value) {
		p := n.Problem("a $ without braces refers to nothing: the value is taken as it stands", "for an environment variable write ${NAME}")
		p.Severity, p.Line = diag.Warning, "" // it may be a secret after all
		return append(ps, p)
	}
	if n.Shape != diag.Scalar || !strings.Contains(n.Value, "${") {
		return ps
	}
	var out strings.Builder
	rest := n.Value
	for {
		before, after, found := strings.Cut(rest, "${")
		if !found || len(ps) > diag.MaxProblems {
			break
		}
		if literal, ok := strings.CutSuffix(before, "$"); ok {
			out.WriteString(literal + "${")
			rest = after
			continue
		}
		out.WriteString(before)
		reference, behind, closed := strings.Cut(after, "}")
		if !closed {
			e.broken[n] = true
			ps = append(ps, place(n, "${"+after, "${ is not closed", "write ${NAME}; where ${ is meant literally, write $${"))
			rest = after
			continue
		}
		value, message, hint := e.resolve(reference)
		if message != "" && e.Offline {
			e.stood[n] = true
			// Base64 of 32 bytes passes for every vendor's kind of key.
			value = base64.StdEncoding.EncodeToString([]byte(rand.Text() + rand.Text())[:32])
		} else if message != "" {
			e.broken[n] = true
			ps = append(ps, place(n, "${"+reference+"}", message, hint))
		}
		out.WriteString(value)
		rest = behind
	}
	out.WriteString(rest)
	n.Written, n.Value = n.Value, out.String()
	return ps
}

// within reports whether n or anything in it is among the nodes.
func within(n *diag.Node, nodes map[*diag.Node]bool) bool {
	return nodes[n] || slices.ContainsFunc(n.Items, func(i *diag.Node) bool { return within(i, nodes) }) ||
		slices.ContainsFunc(n.Pairs, func(p diag.Pair) bool { return within(p.Value, nodes) })
}

// shellReference is how shells and other programs name an environment variable.
var shellReference = regexp.MustCompile(`^(?:\$[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|%[A-Z][A-Z0-9_]*%|\{\{ *[A-Za-z_][\w.]* *\}\})$`)

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (e Env) resolve(reference string) (value, message, hint string) {
	kind, name, ok := strings.Cut(reference, ":")
	switch {
	case !ok && envName.MatchString(reference):
		value, set := e.Getenv(reference)
		switch {
		case !set:
			return "", "the environment variable " + reference + " is not set", "set it for the service, or use ${file:…} or ${credential:…}"
		case value == "":
			return "", "the environment variable " + reference + " is empty", ""
		}
		return value, "", ""
	case ok && kind == "file":
		return e.file(e.path(name), "the file "+name)
	case ok && kind == "credential":
		if name == "" || name != filepath.Base(name) || name == "." || name == ".." {
			return "", "this cannot be the name of a credential", ""
		}
		if e.CredentialsDir == "" {
			return "", "there are no credentials of systemd ($CREDENTIALS_DIRECTORY is not set)", "add LoadCredential=" + name + ":/path to the unit"
		}
		value, message, _ := e.file(filepath.Join(e.CredentialsDir, name), "the credential "+name)
		if message != "" {
			hint = "add LoadCredential=" + name + ":/path to the unit"
		}
		return value, message, hint
	case ok && envName.MatchString(kind) && strings.HasPrefix(name, "-"):
		return "", "a default within ${…} is not supported", "set the environment variable " + kind
	}
	return "", "this is no reference", "write ${NAME}, ${file:PATH} or ${credential:NAME}; where ${ is meant literally, write $${"
}

func (e Env) file(path, what string) (value, message, hint string) {
	text, err := e.ReadFile(path)
	switch {
	case os.IsNotExist(err):
		return "", what + " does not exist", ""
	case os.IsPermission(err):
		return "", what + " may not be read by this user", ""
	case err != nil:
		return "", what + " cannot be read", ""
	case len(text) > maxSecretFile || bytes.IndexByte(text, 0) >= 0 || !utf8.Valid(text):
		return "", what + " holds no text such as a key or token", ""
	}
	// Editors put a mark at the beginning, and copying a blank at the end: no key
	// or token has either.
	value = strings.TrimRight(strings.TrimPrefix(string(text), "\ufeff"), " \t\r\n")
	if value == "" {
		return "", what + " is empty", ""
	}
	return value, "", ""
}

// place is a problem at a part of a value, found again in the file as quotes
// and blocks move it.
func place(n *diag.Node, part, message, hint string) diag.Problem {
	p := n.Problem(message, hint)
	p.Width = 1
	for line := n.Line; line <= n.Line+strings.Count(n.Value, "\n")+1; line++ {
		text, from := n.File.Line(line), 0
		if line == n.Line {
			from = len(string([]rune(text)[:min(n.Column-1, utf8.RuneCountInString(text))]))
		}
		if i := strings.Index(text[from:], part); i >= 0 {
			p.Pos.Line, p.Pos.Column = line, utf8.RuneCountInString(text[:from+i])+1
			p.Width, p.Line = utf8.RuneCountInString(part), text
			break
		}
	}
	return p
}

var (
	secretKey  = regexp.MustCompile(`(?i)(?:token|secret|key|password|passwd|credential|authorization)[a-z0-9_-]*["']?\s*:(\s+|$)(.*)`)
	references = regexp.MustCompile(`^[\s"'\[,]*\$\{[^}]*\}([\s"'\[,\]}]*(\$\{[^}]*\})?)*\s*(#.*)?$`)
)

// referenceOfMany is a reference with other keys of the same line behind it.
var referenceOfMany = regexp.MustCompile(`^\s*(?:"\$\{[^}]*\}"|'\$\{[^}]*\}'|\$\{[^}]*\})\s*[,}](.*)$`)

// passwordInURL is an address with a user and a password.
var passwordInURL = regexp.MustCompile(`://[^/\s:@]*:[^/\s@]+@`)

// secretLines finds the lines that hold a secret written out: the value of a
// key that sounds like one, with everything indented below it. It looks at the
// text, so that it also works where the YAML is broken, and rather finds too
// much.
func secretLines(text []byte) map[int]bool {
	found := map[int]bool{}
	within := -1 // indentation of the key that is being looked below
	for i, line := range strings.Split(string(text), "\n") {
		content := strings.TrimLeft(line, " \t")
		indent := len(line) - len(content)
		if passwordInURL.MatchString(line) {
			found[i+1] = true
		}
		switch {
		case strings.TrimSpace(content) == "" || content[0] == '#':
			continue
		case within >= 0 && (indent > within || indent == within && content[0] == '-'):
			if tells(strings.TrimLeft(content, "- ")) {
				found[i+1] = true
			}
			continue
		}
		within = -1
		m := secretKey.FindStringSubmatch(line)
		for m != nil { // {token: "${A}", secret: "${B}"}: each key by itself
			next := referenceOfMany.FindStringSubmatch(m[2])
			if next == nil {
				break
			}
			m = secretKey.FindStringSubmatch(next[1])
		}
		if m == nil {
			continue
		}
		if value := strings.TrimSpace(m[2]); value == "" || value[0] == '#' || strings.ContainsAny(value[:1], "|>[{") {
			within = indent
			if value == "" || value[0] == '#' {
				continue
			}
		}
		if value := strings.TrimSpace(m[2]); strings.Trim(value, "|>-+0123456789 ") != "" && tells(value) {
			found[i+1] = true
		}
	}
	return found
}

// tells reports whether a value where a secret belongs may be one: not if it
// only refers to one, or says that there is none.
func tells(value string) bool {
	switch strings.Trim(value, "[]{}\"' \t\r") {
	case "", "none", "null", "~":
		return false
	}
	return !references.MatchString(value)
}
