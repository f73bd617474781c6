package app

import (
	"cmp"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/internal/receiver"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/sources"
	anyvendor "github.com/crmsyncd/crmsyncd/sources/webhook"
	"github.com/crmsyncd/crmsyncd/store"
)

// Setup is everything that settings and mapping say, built and ready. It is
// what a reload swaps.
type Setup struct {
	Settings   *config.Settings
	Rules      *mapping.Rules
	Sources    map[string]sources.Source
	Guards     map[string]*sources.Guard // by source
	Connectors map[string]connectors.Connector
	Log        *slog.Logger
	types      map[string]string // of sources and connectors, by name
	keys       ledgerKeys
	opens      map[string]opener
	shadowed   map[string]bool // connectors in shadow mode
	receiving  map[string]receiver.Source
	vaults     *atomic.Pointer[vaults] // of the connectors; set once the ledger is open
}

// opener opens a connector anew. alter may change what it is given; it may be
// nil.
type opener func(alter func(*connectors.Options)) (connectors.Connector, config.ConnectorMode, diag.Problems)

// Logger makes the log that settings ask for.
type Logger func(config.Log) *slog.Logger

// Build builds a Setup from the settings file at path. The Setup can be used
// if the problems hold no error; where it can be built in part, it is.
func Build(path, version string, log Logger) (*Setup, diag.Problems) {
	return load(path, config.System(), version, log)
}

// BuildOffline is Build for commands that send nothing: secrets may be missing.
func BuildOffline(path, version string) (*Setup, diag.Problems) {
	env := config.System()
	env.Offline = true
	return load(path, env, version, func(config.Log) *slog.Logger { return slog.New(slog.DiscardHandler) })
}

// ReadMapping reads another mapping by the same settings. The rules can be used
// if the problems hold no error.
func (s *Setup) ReadMapping(path string) (*mapping.Rules, diag.Problems) {
	other := *s.Settings
	other.Mapping = path
	files, problems := mappingFiles(&other)
	if problems.Err() != nil {
		return nil, problems
	}
	rules, more := mapping.Read(files, s.reading())
	return rules, append(problems, more...)
}

func load(path string, env config.Env, version string, log Logger) (*Setup, diag.Problems) {
	settings, problems := config.Load(path, env)
	if settings == nil {
		return nil, problems
	}
	s, more := build(settings, version, log(settings.Log), problems.Has(diag.Error))
	problems = append(problems, more...)
	if !env.Offline {
		problems = append(problems, readable(settings)...)
	}
	problems.Sort()
	return s, problems.Told()
}

// build builds what the settings ask for; of broken ones a part may be missing.
func build(settings *config.Settings, version string, log *slog.Logger, broken bool) (*Setup, diag.Problems) {
	s := &Setup{Settings: settings, Sources: map[string]sources.Source{}, Guards: map[string]*sources.Guard{}, Connectors: map[string]connectors.Connector{}, types: map[string]string{}, opens: map[string]opener{}, shadowed: map[string]bool{}, receiving: map[string]receiver.Source{}, Log: log, vaults: new(atomic.Pointer[vaults])}
	var problems diag.Problems
	for _, b := range settings.Sources {
		if len(problems) > diag.MaxProblems {
			break
		}
		t, ok := sourceTypes[b.Type]
		if !ok {
			problems = append(problems, unknownType(b, "source", slices.Sorted(maps.Keys(sourceTypes)))...)
			continue
		}
		src, access, ps := t.open(b, settings.Defaults)
		problems = append(problems, ps...)
		problems = append(problems, settled(b, access.Limits)...)
		if src == nil {
			continue
		}
		problems = append(problems, hidden(b, src, settings.PublicURL)...)
		guard, more := guarded(b, src, access)
		if !slices.ContainsFunc(ps, func(p diag.Problem) bool {
			return slices.Contains([]string{"token", "token_header", "allow_from", "unauthenticated"}, setting(b, p))
		}) {
			problems = append(problems, more...)
		}
		if guard == nil || ps.Has(diag.Error) {
			continue
		}
		s.Sources[b.Name], s.Guards[b.Name], s.types["source "+b.Name] = src, guard, b.Type
		s.receiving[b.Name] = received(b, src, guard, access.Limits)
	}
	for _, b := range settings.Connectors {
		t, ok := connectorTypes[b.Type]
		if !ok {
			problems = append(problems, unknownType(b, "connector", slices.Sorted(maps.Keys(connectorTypes)))...)
			continue
		}
		open := func(alter func(*connectors.Options)) (connectors.Connector, config.ConnectorMode, diag.Problems) {
			o := connectors.Options{
				Name: b.Name, Country: settings.Defaults.Country, Zone: settings.Defaults.Zone,
				Log: log.With("connector", b.Name), UserAgent: "crmsyncd/" + version,
				Vault: lazyVault{b.Name, s.vaults},
			}
			if alter != nil {
				alter(&o)
			}
			return t.open(b, o)
		}
		conn, mode, ps := open(nil)
		problems = append(problems, ps...)
		s.shadowed[b.Name] = mode.Shadow()
		if conn != nil {
			s.Connectors[b.Name], s.types["connector "+b.Name], s.opens[b.Name] = conn, b.Type, open
		}
	}
	problems = append(problems, s.keys.read(settings.Privacy)...)
	problems = append(problems, traceable(settings.Tracing)...)
	files, ps := mappingFiles(settings)
	problems = append(problems, ps...)
	if ps.Err() == nil {
		opt := s.reading()
		if broken { // a misspelt sources: or connectors: is told once, not at every rule
			if len(opt.Sources) == 0 {
				opt.Sources = nil
			}
			if len(opt.Connectors) == 0 {
				opt.Connectors = nil
			}
		}
		rules, ps := mapping.Read(files, opt)
		problems = append(problems, ps...)
		s.Rules = rules
		problems = append(problems, s.unheard()...)
	}
	return s, problems
}

// reading is what the settings say about names that rules use.
func (s *Setup) reading() mapping.Options {
	d := s.Settings.Defaults
	opt := mapping.Options{Sources: []string{}, Vendors: map[string]string{}, Says: map[string]event.Vocabulary{}, Connectors: map[string]string{}, Country: d.Country}
	for _, b := range s.Settings.Sources {
		opt.Sources = append(opt.Sources, b.Name)
		opt.Vendors[b.Name] = b.Type
		if w, ok := s.Sources[b.Name].(sources.Worded); ok {
			opt.Says[b.Name] = w.Vocabulary()
		}
	}
	for _, b := range s.Settings.Connectors {
		opt.Connectors[b.Name] = b.Type
	}
	if d.Timezone != "" {
		opt.Zone = d.Zone
	}
	return opt
}

func unknownType(b config.Block, what string, known []string) diag.Problems {
	if b.Type == "" {
		return nil // told already
	}
	hint := cmp.Or(diag.DidYouMean(b.Type, known), begunAlike(b.Type, known))
	switch word := strings.ToLower(b.Type); {
	case what != "source":
	case word == "voys":
		hint = "did you mean voipgrid?"
	case slices.Contains(anyvendor.Presets(), word):
		hint = "write type: webhook, and preset: " + word + " below it"
	}
	return diag.Problems{b.Node.Get("type").Problem(fmt.Sprintf("unknown type %q of %s %q", b.Type, what, b.Name), cmp.Or(hint, "known types: "+strings.Join(known, ", ")))}
}

// begunAlike is a hint at the one type with the same first three letters. Few
// types are known: telli is meant by tely too, for all that is wrong in it.
func begunAlike(word string, known []string) string {
	if len(word) < 3 {
		return ""
	}
	other := func(k string) bool { return !strings.HasPrefix(k, strings.ToLower(word[:3])) }
	if alike := slices.DeleteFunc(slices.Clone(known), other); len(alike) == 1 {
		return "did you mean " + alike[0] + "?"
	}
	return ""
}

// mappingFiles reads the mapping: one file, or all .yaml files of a directory.
func mappingFiles(settings *config.Settings) ([]mapping.File, diag.Problems) {
	path := settings.Mapping
	missing := func(path string, err error) diag.Problems {
		hint := "set mapping: in " + settings.File + ", or write the file"
		if path != settings.Mapping {
			hint = "put the file right, or take it out of the folder"
		}
		return diag.Problems{{Pos: diag.Pos{File: shown(path)}, Message: "the mapping cannot be read: " + reasonOf(err), Hint: hint}}
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, missing(path, err)
	}
	paths := []string{path}
	if info.IsDir() {
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, missing(path, err)
		}
		paths = nil
		for _, e := range entries {
			name := e.Name()
			if strings.HasPrefix(name, ".") {
				continue // editors and file systems leave such behind
			}
			if ext := filepath.Ext(name); (ext == ".yaml" || ext == ".yml") && !strings.HasSuffix(strings.TrimSuffix(name, ext), "_test") && !e.IsDir() {
				paths = append(paths, filepath.Join(path, name))
			}
		}
		if len(paths) == 0 {
			return nil, diag.Problems{{Pos: diag.Pos{File: shown(path)}, Message: "the mapping's directory holds no .yaml file"}}
		}
	}
	var files []mapping.File
	for _, p := range paths {
		text, err := diag.ReadFile(p)
		if err != nil {
			return nil, missing(p, err)
		}
		files = append(files, mapping.File{Name: shown(p), Text: text})
	}
	return files, nil
}

// shown is how a path is named to people: relative where that is shorter.
func shown(path string) string {
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, path); err == nil && len(rel) < len(path) && !strings.HasPrefix(rel, "..") {
			return rel
		}
	}
	return path
}

// reasonOf leaves the path out of a file error, as it is named beside it.
func reasonOf(err error) string {
	if pe, ok := err.(*fs.PathError); ok {
		return pe.Err.Error()
	}
	return err.Error()
}

// Parse gives the common model of an event by itself.
func (s *Setup) Parse(e store.Event) (*event.Event, error) {
	ev, _, err := s.read(e)
	return ev, err
}

func (s *Setup) parse(e store.Event) (sources.Parsed, error) {
	src := s.Sources[e.Source]
	if src == nil {
		return sources.Parsed{}, fmt.Errorf("source %q is not in the settings any more; put it back and replay the event", e.Source)
	}
	return src.Parse(request(e)), nil
}

// request is a stored event as its source takes it.
func request(e store.Event) *sources.Request {
	header := http.Header{}
	if e.ContentType != "" {
		header.Set("Content-Type", e.ContentType)
	}
	return &sources.Request{Method: http.MethodPost, Header: header, Body: e.Body, At: e.ReceivedAt}
}

// Reparse says what today's parser makes of a stored payload.
func (s *Setup) Reparse(e store.Event) store.Requeue {
	if e.ContentType == ownContent || e.ContentType == mendContent {
		// What crmsyncd made reads the same always.
	} else if p, err := s.parse(e); err == nil {
		now := receiver.Stored(e.Source, e.Vendor, e.Origin, request(e), p)
		if p.Event.Lane() == "" {
			now.Lane = e.Lane
		}
		e.Type, e.OccurredAt, e.Rank, e.Lane, e.Problem = now.Type, now.OccurredAt, now.Rank, now.Lane, now.Problem
	}
	return store.Requeue{Seq: e.Seq, Type: e.Type, OccurredAt: e.OccurredAt, Rank: e.Rank, Lane: e.Lane, Problem: e.Problem}
}

// delivery is the Setup as the deliverer takes it.
func (s *Setup) delivery(ledger store.Ledger) deliver.Setup {
	r := reader{s, ledger}
	d := deliver.Setup{Parse: r.Parse, FollowUp: r.followUp, Rules: s.planner(), Fit: s.fit, Policy: policy(s.Settings.Delivery), Connectors: map[string]deliver.Target{}}
	for name, c := range s.Connectors {
		if s.shadowed[name] {
			c = deliver.ReadOnly(c)
		}
		d.Connectors[name] = deliver.Target{Connector: c, Wave: connectorTypes[s.types["connector "+name]].wave, Shadow: s.shadowed[name]}
	}
	return d
}

// Type gives the type of a source by its name.
func (s *Setup) Type(source string) string { return s.types["source "+source] }
