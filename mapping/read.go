package mapping

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// The keys of mapping.yaml, by what they stand in. JSONSchema has the same.
var (
	fileKeys   = []string{"version", "tables", "rules"}
	ruleKeys   = []string{"name", "description", "enabled", "on", "from", "when", "to", "mode", "on_edit", "on_missing", "records"}
	recordKeys = []string{"object", "as", "match", "create", "on_many", "fields", "link"}
	fieldKeys  = []string{"value", "if", "missing", "on_edit"}
	linkKeys   = []string{"to", "field", "type"}
)

// Read reads and checks rules. Every problem of all files is returned at once;
// the rules may be used only if problems.Err() is nil. Several files work as
// one: tables are seen everywhere, names must be unique.
func Read(files []File, opt Options) (*Rules, diag.Problems) {
	zoned := opt.Zone != nil || opt.Connectors == nil // without settings nobody can have said it
	if opt.Zone == nil {
		opt.Zone = time.UTC
	}
	r := &reader{opt: opt, names: map[string]diag.Pos{}, scope: scope{
		tables: map[string]*table{}, sources: opt.Sources, says: opt.Says, country: opt.Country, zone: opt.Zone, zoned: zoned,
	}}
	var roots []*diag.Node
	for _, f := range files {
		root, ps := diag.ReadYAML(f.Name, f.Text)
		r.add(ps...)
		if root != nil {
			roots = append(roots, root)
		}
	}
	// All tables come first: a rule may use those of another file.
	for _, root := range roots {
		r.head(root)
	}
	for _, root := range roots {
		r.rules(root.Get("rules"))
	}
	if !r.full() {
		r.doubts()
	}
	if len(r.out) == 0 && len(r.problems) == 0 && len(files) > 0 {
		r.add(diag.Problem{Pos: diag.Pos{File: files[0].Name}, Severity: diag.Warning, Message: "there are no rules: no event will reach a CRM", Hint: "add one under rules:"})
	}
	slices.SortStableFunc(r.problems, byPlace(files))
	r.problems = r.problems.Told()
	rules := newRules(r.out, opt.Zone, opt.Country)
	rules.tables = r.tables
	return rules, r.problems
}

// byPlace orders problems as the files were given, and by place within each.
func byPlace(files []File) func(a, b diag.Problem) int {
	order := map[string]int{}
	for i, f := range files {
		order[f.Name] = i
	}
	return func(a, b diag.Problem) int {
		return cmp.Or(cmp.Compare(order[a.Pos.File], order[b.Pos.File]), cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column))
	}
}

func newRules(rules []*rule, zone *time.Location, country string) *Rules {
	rs := &Rules{rules: rules, byType: map[event.Type][]*rule{}, zone: zone, country: country}
	for _, u := range rules {
		for _, t := range u.on {
			rs.byType[t] = append(rs.byType[t], u)
		}
	}
	return rs
}

type reader struct {
	scope
	opt      Options
	problems diag.Problems
	out      []*rule
	names    map[string]diag.Pos // of rules

	tableNames []*diag.Node
	list       *diag.Node // records of the rule being read
}

func (r *reader) add(ps ...diag.Problem) { r.problems = append(r.problems, ps...) }

func (r *reader) bad(n *diag.Node, message, hint string) { r.add(n.Problem(message, hint)) }

func (r *reader) full() bool { return len(r.problems) > diag.MaxProblems }

// mapping reports whether n is keys with values, and which keys are unknown.
func (r *reader) mapping(n *diag.Node, known []string, what string) bool {
	if n.Shape != diag.Mapping {
		r.bad(n, what+" wants keys with values, not "+n.Shape.String(), "the keys are "+strings.Join(known, ", "))
		return false
	}
	for _, p := range n.Pairs {
		if !slices.Contains(known, p.Key.Value) && !r.full() {
			r.add(unknownKey(p.Key, known))
		}
	}
	return true
}

// words reads one word or a list of words.
func (r *reader) words(n *diag.Node, what string) []*diag.Node {
	items := n.Items
	if n.Shape != diag.Sequence {
		items = []*diag.Node{n}
	}
	var out []*diag.Node
	for _, item := range items {
		switch {
		case item.Shape != diag.Scalar:
			r.bad(item, what+" wants names, not "+item.Shape.String(), "")
		case strings.TrimSpace(item.Value) == "" || item.Null:
			r.bad(item, what+" has an empty name", "")
		case slices.ContainsFunc(out, func(o *diag.Node) bool { return o.Value == item.Value }):
			r.bad(item, fmt.Sprintf("%s names %q twice", what, item.Value), "leave one out")
		default:
			out = append(out, item)
		}
	}
	return out
}

// word reads one text; "" if it is not there.
func (r *reader) word(n *diag.Node, what string) string {
	switch {
	case n == nil || n.Null:
		return ""
	case n.Shape != diag.Scalar:
		r.bad(n, what+" wants one text, not "+n.Shape.String(), "")
		return ""
	}
	return strings.TrimSpace(n.Value)
}

// head reads what stands beside the rules of a file.
func (r *reader) head(root *diag.Node) {
	if !r.mapping(root, fileKeys, "the file") {
		return
	}
	switch v := root.Get("version"); {
	case v == nil && root.Misspells("version", fileKeys):
	case v == nil:
		r.add(root.File.TopProblem(`"version" is missing`, "add version: 1 at the top"))
	case v.Value != "1":
		r.bad(v, fmt.Sprintf("version %s is not known", strings.TrimSpace(v.Value)), "this crmsyncd reads version: 1")
	}
	tables := root.Get("tables")
	if tables == nil || tables.Null {
		return
	}
	if tables.Shape != diag.Mapping {
		r.bad(tables, "tables wants a name for each table, not "+tables.Shape.String(), "")
		return
	}
	for _, p := range tables.Pairs {
		t, ps := readTable(p.Key, p.Value)
		r.add(ps...)
		if first := r.tables[t.name]; first != nil {
			r.bad(p.Key, fmt.Sprintf("the table %q stands here a second time; the first is at %s", t.name, first.pos), "give one of the two another name")
			continue
		}
		r.tables[t.name], r.tableNames = t, append(r.tableNames, p.Key)
	}
}

func (r *reader) rules(n *diag.Node) {
	switch {
	case n == nil || n.Null:
		return
	case n.Shape != diag.Sequence:
		r.bad(n, "rules wants a list, not "+n.Shape.String(), "begin each rule with - name: …")
		return
	}
	for _, item := range n.Items {
		if r.full() {
			return
		}
		if item.Shape != diag.Mapping {
			r.bad(item, "a rule wants keys with values, not "+item.Shape.String(), "the keys are "+strings.Join(ruleKeys, ", "))
			continue
		}
		r.out = append(r.out, r.rule(item))
	}
}

func (r *reader) rule(n *diag.Node) *rule {
	r.mapping(n, ruleKeys, "a rule")
	u := &rule{pos: n.Pos(), description: r.word(n.Get("description"), "description")}
	r.name(u, n)
	r.scope.types, r.scope.only = nil, nil
	types := r.on(u, n)
	r.from(u, n)
	r.scope.types, r.scope.only = u.on, u.from
	r.unsent(u, types)
	r.to(u, n)
	if e := n.Get("enabled"); e != nil {
		var on bool
		r.add(e.Decode(&on)...)
		u.off = !on
	}
	if w := n.Get("when"); w != nil {
		r.when(u, w)
	}
	u.shadow = r.choice(n.Get("mode"), "mode", modes) == modeShadow
	r.drift(u, n)
	r.records(u, n)
	return u
}

func (r *reader) name(u *rule, n *diag.Node) {
	at := n.Get("name")
	u.name = r.word(at, "name")
	if u.name == "" {
		u.name = fmt.Sprintf("rule %d", len(r.out)+1)
		at = n
	}
	if len(u.name) > 120 {
		r.bad(at, "the rule's name has more than 120 bytes", "put the rest into description:")
	}
	if first, twice := r.names[u.name]; twice {
		r.bad(at, fmt.Sprintf("a second rule is named %q; the first is at %s", u.name, first), "names stand in the ledger and must be unique")
		return
	}
	r.names[u.name] = at.Pos()
}

// on reads the types of events, and returns where they stand.
func (r *reader) on(u *rule, n *diag.Node) (types []*diag.Node) {
	on := n.Get("on")
	if on == nil && n.Misspells("on", ruleKeys) {
		return nil
	}
	if on == nil || on.Null || on.Shape == diag.Sequence && len(on.Items) == 0 {
		if on == nil {
			on = n
		}
		r.bad(on, "the rule can never match: on names no event type", "add on: call.ended")
		return nil
	}
	known := make([]string, len(event.Types))
	for i, t := range event.Types {
		known[i] = string(t)
	}
	for _, w := range r.words(on, "on") {
		if !slices.Contains(known, w.Value) {
			r.bad(w, fmt.Sprintf("unknown event type %q", w.Value), eventHint(w.Value, known))
			continue
		}
		u.on, types = append(u.on, event.Type(w.Value)), append(types, w)
	}
	return types
}

func (r *reader) from(u *rule, n *diag.Node) {
	from := n.Get("from")
	switch {
	case from == nil:
		return
	case from.Null || from.Shape == diag.Sequence && len(from.Items) == 0:
		r.bad(from, "the rule can never match: from names no source", "leave from: out for all sources")
		return
	}
	for _, w := range r.words(from, "from") {
		if r.opt.Sources != nil && !slices.Contains(r.opt.Sources, w.Value) {
			r.bad(w, fmt.Sprintf("unknown source %q", w.Value), r.calledOtherwise(w.Value, r.opt.Vendors, r.opt.Sources))
			continue
		}
		u.from = append(u.from, w.Value)
	}
}

func (r *reader) to(u *rule, n *diag.Node) {
	to := n.Get("to")
	switch {
	case to == nil && n.Misspells("to", ruleKeys):
		return
	case to == nil || to.Null:
		r.bad(n, `"to" is missing in the rule`, "add to: and a connector's name")
		return
	case to.Shape == diag.Sequence:
		r.bad(to, "to wants one connector's name, not a list", "write a rule for each connector: their objects and fields differ")
		return
	}
	u.to = r.word(to, "to")
	if _, ok := r.opt.Connectors[u.to]; u.to != "" && r.opt.Connectors != nil && !ok {
		r.bad(to, fmt.Sprintf("unknown connector %q", u.to), r.calledOtherwise(u.to, r.opt.Connectors, slices.Sorted(maps.Keys(r.opt.Connectors))))
	}
}

func (r *reader) when(u *rule, w *diag.Node) {
	switch {
	case w.Null || w.Shape == diag.Scalar && strings.TrimSpace(w.Value) == "":
		r.bad(w, "when has no formula", "leave when: out if the rule always holds")
		return
	case w.Shape != diag.Scalar:
		r.bad(w, "when wants one formula, not "+w.Shape.String(), "join conditions with && or ||")
		return
	case !isFormula(w):
		if v, k := scalar(w); k == kBool && v == false {
			r.bad(w, "the rule can never match: when is always false", "write enabled: false to switch a rule off")
			return
		}
		r.bad(w, "when wants a formula", "begin it with =, such as =call.status != \"failed\"")
		return
	}
	f, ps := r.formula(w, kBool)
	r.add(ps...)
	if ps.Has(diag.Error) {
		return
	}
	u.when = f
	if !f.constant {
		if f.truth.never && len(ps) == 0 {
			r.doubt(w, "the rule never matches: these conditions are never true together", "join them by || where one of them is enough")
		} else if f.truth.never {
			r.problems[len(r.problems)-1].Message += ": the rule never matches"
		}
		return
	}
	v, _ := f.eval(newEnv(&event.Event{}, r.zone, r.country))
	if truth(v) {
		r.doubt(w, "when is always true", "leave it out")
	} else {
		r.bad(w, "the rule can never match: when is always false", "write enabled: false to switch a rule off")
	}
}

// calledOtherwise is a hint for a vendor's name in place of the one that the
// settings give it.
func (r *reader) calledOtherwise(word string, types map[string]string, known []string) string {
	var meant []string
	for _, name := range slices.Sorted(maps.Keys(types)) {
		if strings.EqualFold(types[name], word) {
			meant = append(meant, name)
		}
	}
	if len(meant) > 0 && !slices.Contains(meant, diag.Suggest(word, known)) {
		return "config.yaml calls it " + strings.Join(meant, " or ")
	}
	return orKnown(word, known)
}

// orKnown is a hint with the likeliest word, or else all of them.
func orKnown(word string, known []string) string {
	if s := diag.DidYouMean(word, known); s != "" {
		return s
	}
	if len(known) == 0 {
		return "config.yaml has none"
	}
	return "known here: " + strings.Join(known, ", ")
}
