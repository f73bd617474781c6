package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// modelWords are what a path of the model can be, whoever sends it; nil where
// it has no fixed list. Events of calls that have ended are in no state before
// their end.
func modelWords(path string, on []event.Type) []string {
	switch path {
	case "call.direction", "message.direction":
		return event.Directions
	case "event.origin":
		return []string{string(event.Webhook), string(event.Backfill), string(event.Reconcile), string(event.Replay)}
	case "event.type":
		if len(on) == 0 {
			on = event.Types
		}
		words := make([]string, len(on))
		for i, t := range on {
			words[i] = string(t)
		}
		return words
	case "call.status":
		ended := len(on) > 0 && !slices.ContainsFunc(on, func(t event.Type) bool { return t != event.CallEnded })
		return slices.DeleteFunc(slices.Clone(event.CallStatuses), func(s string) bool {
			return ended && slices.Contains([]string{event.Created, event.Ringing, event.InProgress, event.Transferred}, s)
		})
	}
	return nil
}

// words are what a path can be in the events that the rule being read is for.
func (s *scope) words(path string) []string {
	known := modelWords(path, s.types)
	switch {
	case path == "event.source" && s.only != nil:
		return s.only
	case path == "event.source":
		return s.sources
	}
	sent := s.sent(path)
	if sent == nil {
		return known
	}
	if known == nil {
		return sent
	}
	return slices.DeleteFunc(slices.Clone(known), func(w string) bool { return !slices.Contains(sent, w) })
}

// sent are all words that the rule's senders have for a path; nil where one of
// them may send anything.
func (s *scope) sent(path string) []string {
	var all []string
	for _, name := range s.senders() {
		words := s.says[name].Words[path]
		if words == nil {
			return nil
		}
		all = append(all, words...)
	}
	return all
}

// senders are the sources whose events the rule being read is for.
func (s *scope) senders() []string {
	if s.only != nil {
		return s.only
	}
	return s.sources
}

// unsent warns of the types of events that none of the rule's senders has.
func (r *reader) unsent(u *rule, words []*diag.Node) {
	var never []*diag.Node
	for _, w := range words {
		if slices.Contains(u.on, event.Type(w.Value)) && !r.sends(event.Type(w.Value)) {
			never = append(never, w)
		}
	}
	for _, w := range never {
		who, consequence := "no source of config.yaml sends", ""
		if len(u.from) == 1 {
			who = u.from[0] + " never sends"
		} else if len(u.from) > 1 {
			who = "none of " + strings.Join(u.from, ", ") + " sends"
		}
		if len(never) == len(u.on) {
			consequence = ": the rule never matches"
		}
		var types []string
		for _, name := range r.senders() {
			for _, t := range r.says[name].Types {
				if t != event.Unknown && !slices.Contains(types, string(t)) {
					types = append(types, string(t))
				}
			}
		}
		r.doubt(w, fmt.Sprintf("%s %s%s", who, w.Value, consequence), "it sends "+strings.Join(types, ", "))
	}
}

// doubt adds a warning.
func (r *reader) doubt(n *diag.Node, message, hint string) {
	p := n.Problem(message, hint)
	p.Severity = diag.Warning
	r.add(p)
}

// checkWords warns where a value with known words is compared with one that it
// never is. It returns those that it can be; ok is false where that is not
// known.
func (c *compiler) checkWords(a, b operand) (can []string, ok bool) {
	if a.words == nil && a.path == "" {
		a, b = b, a
	}
	texts, ok := literals(b)
	known := a.words
	if a.path != "" && known == nil {
		known = c.words(a.path)
	}
	if !ok || known == nil {
		if ok && a.path == "contact.status" {
			c.checkLower(b)
		}
		return texts, ok && a.path != ""
	}
	before := len(c.problems)
	for _, s := range texts {
		if s == "" || slices.Contains(known, s) { // "" is missing
			can = append(can, s)
			continue
		}
		if known := modelWords(a.path, c.types); len(texts) > 1 && slices.Contains(known, s) {
			continue // a list may well hold more than one vendor's words
		}
		message, hint := fmt.Sprintf("%s is never %q", c.named(a), s), diag.DidYouMean(s, known)
		if hint == "" {
			hint = "it is one of " + strings.Join(known, ", ")
		}
		if a.path != "" && slices.Contains(modelWords(a.path, nil), s) {
			message = fmt.Sprintf("%s is never %q %s", a.path, s, c.here())
		}
		c.add(diag.Warning, b.from, b.to, message, hint)
	}
	if len(can) == 0 && len(c.problems) == before {
		c.add(diag.Warning, b.from, b.to, fmt.Sprintf("%s is never one of these %s", a.path, c.here()), "it is one of "+strings.Join(known, ", "))
	}
	return can, true
}

// inText is the truth of in with a text that is written out, of which the value
// must be a part. Words with commas between them are mostly meant as a list.
func (c *compiler) inText(a, b operand, text string) truthOf {
	var can, list []string
	words := c.wordsOf(a)
	for _, w := range words {
		if w != "" && strings.Contains(text, w) {
			can = append(can, w)
		}
	}
	if words != nil && len(can) == 0 {
		c.checkWords(a, b)
		return truthOf{never: true}
	}
	for item := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(",;|", r) }) {
		list = append(list, fmt.Sprintf("%q", strings.TrimSpace(item)))
	}
	if len(list) > 1 {
		c.add(diag.Warning, b.from, b.to, "this is one text: in asks whether the value is any part of it", "for one of several words write ["+strings.Join(list, ", ")+"]")
	}
	return onlyTrue(a, operand{}, can, words != nil && !a.constant)
}

// wordsOf are the words that a part of a formula can be; nil where it may be
// any other as well.
func (c *compiler) wordsOf(o operand) []string {
	switch text, isText := o.literal.(string); {
	case o.words != nil:
		return o.words
	case o.path != "":
		return c.words(o.path)
	case isText:
		return []string{text}
	}
	return nil
}

// either are the words of two parts, one of which stands in the end.
func (c *compiler) either(a, b operand) []string {
	x, y := c.wordsOf(a), c.wordsOf(b)
	if x == nil || y == nil {
		return nil
	}
	return append(slices.Clone(x), y...)
}

// resultWords are the words that a function gives, where it only writes those
// of its argument otherwise.
func (c *compiler) resultWords(f function, args []operand) []string {
	if len(args) != 1 || !slices.Contains([]string{"upper", "lower", "title", "trim", "text"}, f.Name) {
		return nil
	}
	words := slices.Clone(c.wordsOf(args[0]))
	for i, w := range words {
		words[i], _ = f.run(newEnv(nil, c.zone, c.country), 0, []any{w}).(string)
	}
	return words
}

// here says which events a rule is about.
func (s *scope) here() string {
	if len(s.only) > 0 {
		return "in what " + strings.Join(s.only, ", ") + " sends"
	}
	return "in such events"
}

// named is how an operand is called in messages.
func (c *compiler) named(o operand) string {
	if o.path != "" {
		return o.path
	}
	runes := []rune(c.node.Value)
	from, to := c.offset+o.from, c.offset+o.to
	if from < 0 || to > len(runes) || from >= to {
		return "this"
	}
	return string(runes[from:to])
}

// literals are the texts that are written out: one, or a list of them.
func literals(o operand) ([]string, bool) {
	switch v := o.literal.(type) {
	case string:
		return []string{v}, true
	case []any:
		var texts []string
		for _, x := range v {
			s, ok := x.(string)
			if !ok {
				return nil, false
			}
			texts = append(texts, s)
		}
		return texts, len(texts) > 0
	}
	return nil, false
}

// otherObjects are the names of the same thing in the CRMs that have fixed
// names, by the type of the connector.
var otherObjects = []map[string]string{
	{"hubspot": "contacts", "pipedrive": "persons", "salesforce": "Contact"},
	{"hubspot": "companies", "pipedrive": "organizations", "salesforce": "Account"},
	{"hubspot": "deals", "pipedrive": "deals", "salesforce": "Opportunity"},
	{"hubspot": "leads", "pipedrive": "leads", "salesforce": "Lead"},
	{"hubspot": "calls", "pipedrive": "activities", "salesforce": "Task"},
	{"hubspot": "tasks", "pipedrive": "activities", "salesforce": "Task"},
	{"hubspot": "tickets", "salesforce": "Case"},
}

// foreignObject guesses which object a name stands for that another CRM has, or
// that is written in another number or with other capitals; "" if there is no
// reason to doubt it.
func foreignObject(crm, object string) string {
	meant := ""
	for _, names := range otherObjects {
		own := names[crm]
		switch {
		case own == "":
			continue
		case own == object, crm == "hubspot" && singular(own) == strings.TrimSuffix(object, "s"):
			return "" // HubSpot takes its own names in the singular too
		}
		for _, name := range names {
			if meant == "" && singular(name) == singular(object) {
				meant = own
			}
		}
	}
	return meant
}

// singular is a name without regard to number and capitals.
func singular(name string) string {
	name = strings.ToLower(name)
	if stem, ok := strings.CutSuffix(name, "ies"); ok {
		return stem + "y"
	}
	if name == "people" {
		return "person"
	}
	return strings.TrimSuffix(name, "s")
}

// checkObject warns of an object by the name that another CRM has for it.
func (r *reader) checkObject(u *rule, rec *record, n *diag.Node) {
	crm := r.opt.Connectors[u.to]
	if meant := foreignObject(crm, rec.object); meant != "" {
		r.doubt(n, fmt.Sprintf("%s calls it %s, not %s", crm, meant, rec.object), "write object: "+meant+", unless the account has an object of its own by that name")
	}
}
