// Package starter makes settings, a mapping and its cases to begin with: for
// one sender and one or several CRMs, of the templates beside it. crmsyncd init
// writes them, and examples/ holds those of every pair. It reads and writes no
// file, and does not fill in what the cases expect: that is what comes out.
package starter

import (
	"bytes"
	"embed"
	"fmt"
	"slices"
	"strings"
	"text/template"
)

//go:embed templates
var files embed.FS

// The files that Make gives.
const (
	Config  = "config.yaml"
	Mapping = "mapping.yaml"
	Cases   = "mapping_test.yaml"
)

// Names are the files that Make gives, in the order in which they are read.
var Names = []string{Config, Mapping, Cases}

// Choice is what a person chose.
type Choice struct {
	Sender   string
	CRMs     []string
	Country  string   // of numbers without country code; default DE
	Timezone string   // default Europe/Berlin
	Owner    string   // e-mail address of the CRM's user who has the calls of agents who are none; "" if nobody
	Owners   []string // addresses of agents who are users as well
}

// data is what the templates see.
type data struct {
	Choice
	Sender    Sender
	CRMs      []CRM
	CRM       CRM // in the parts of one
	CRMLabels string
	Tables    string
	Rules     string
	Cases     string
}

// ContactID is the CRM's field for the sender's id of a contact.
func (d data) ContactID() string { return d.CRM.contactID[d.Sender.Name] }

// CallID is the CRM's field for the id of a call.
func (d data) CallID() string { return d.CRM.callID(d.Sender.Name) }

// Make gives the texts of the files by name. The cases expect nothing yet.
func Make(c Choice) (map[string]string, error) {
	fill(&c.Country, "DE")
	fill(&c.Timezone, "Europe/Berlin")
	d := data{Choice: c}
	var err error
	if d.Sender, err = FindSender(c.Sender); err != nil {
		return nil, err
	}
	if d.CRMs, err = FindCRMs(c.CRMs); err != nil {
		return nil, err
	}
	var labels []string
	for _, crm := range d.CRMs {
		labels = append(labels, crm.Label)
	}
	d.CRMLabels = strings.Join(labels, " and ")
	t := template.New("").Delims("<<", ">>").Funcs(template.FuncMap{"indent": indent, "formula": formula})
	if _, err := t.ParseFS(files, "templates/*.yaml"); err != nil {
		return nil, fmt.Errorf("starter: %w", err)
	}
	if slices.ContainsFunc(d.CRMs, func(crm CRM) bool { return crm.owned }) {
		if d.Tables, err = run(t, "owners", d); err != nil {
			return nil, err
		}
	}
	var rules []string
	for _, crm := range d.CRMs {
		d.CRM = crm
		part, err := run(t, crm.Name+" tables", d)
		if err != nil {
			return nil, err
		}
		d.Tables += part
		if part, err = run(t, crm.Name+" rules", d); err != nil {
			return nil, err
		}
		rules = append(rules, strings.TrimRight(part, "\n")+"\n")
	}
	d.Rules = strings.TrimRight(strings.Join(rules, "\n"), "\n")
	text, err := files.ReadFile("templates/cases/" + d.Sender.Name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("starter: %w", err)
	}
	d.Cases = strings.TrimRight(string(text), "\n")
	out := map[string]string{}
	for _, name := range Names {
		text, err := run(t, name, d)
		if err != nil {
			return nil, err
		}
		out[name] = strings.TrimRight(text, "\n") + "\n"
	}
	return out, nil
}

func run(t *template.Template, name string, d data) (string, error) {
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, d); err != nil {
		return "", fmt.Errorf("starter: %w", err)
	}
	return b.String(), nil
}

func indent(n int, s string) string {
	pad := strings.Repeat(" ", n)
	return pad + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n"+pad) + "\n"
}

// formula writes a formula as a value within { }, in quotes where it needs them.
func formula(parts ...string) string {
	s := "=" + strings.Join(parts, "")
	if strings.ContainsAny(s, " ,[]{}#:\"'") {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return s
}

// FindSender finds a sender by its name.
func FindSender(name string) (Sender, error) {
	var names []string
	for _, s := range Senders() {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Sender{}, fmt.Errorf("no sender is called %q; there are: %s", name, strings.Join(names, ", "))
}

// FindCRMs finds CRMs by their names, each once.
func FindCRMs(names []string) ([]CRM, error) {
	var out []CRM
	var known []string
	for _, crm := range crms {
		known = append(known, crm.Name)
	}
	for _, name := range names {
		i := slices.Index(known, name)
		if i < 0 {
			return nil, fmt.Errorf("no CRM is called %q; there are: %s", name, strings.Join(known, ", "))
		}
		if !slices.ContainsFunc(out, func(c CRM) bool { return c.Name == name }) {
			out = append(out, crms[i])
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("name a CRM; there are: %s", strings.Join(known, ", "))
	}
	return out, nil
}

// Secrets are those that the settings of a choice take from the environment.
func Secrets(c Choice) []Secret {
	var out []Secret
	if s, err := FindSender(c.Sender); err == nil {
		out = append(out, s.Secrets...)
	}
	list, err := FindCRMs(c.CRMs)
	if err != nil {
		return out
	}
	for _, crm := range list {
		out = append(out, crm.Secrets...)
	}
	return out
}
