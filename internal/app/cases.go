package app

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/cases"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

// sampleAt is when made-up payloads happened, and when payloads came that tell
// no time: the same always, so that a case does not fail for the day.
var sampleAt = time.Date(2026, 1, 5, 9, 30, 0, 0, time.UTC)

// muchLater is when a payload came whose time lies after sampleAt, until that
// time is known: by today's clock a case could fail on one day and not on
// another.
var muchLater = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

// samplePerson is whom made-up payloads are of; crmsyncd explain has the same.
const samplePerson = 17

// CaseFiles are the files with cases beside the mapping: mapping_test.yaml
// beside mapping.yaml, and every …_test.yaml of a folder mapping.d.
func (s *Setup) CaseFiles() []string {
	path := s.Settings.Mapping
	var found []string
	add := func(pattern string) {
		names, err := filepath.Glob(pattern)
		if err == nil {
			found = append(found, names...)
		}
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = strings.TrimRight(path, string(filepath.Separator))
		add(filepath.Join(globSafe(path), "*_test.yaml"))
		add(filepath.Join(globSafe(path), "*_test.yml"))
		path = strings.TrimSuffix(path, ".d") + ".yaml"
	}
	ext := filepath.Ext(path)
	add(globSafe(strings.TrimSuffix(path, ext)) + "_test" + ext)
	slices.Sort(found)
	for i := range found {
		found[i] = shown(found[i])
	}
	return slices.Compact(found)
}

// CaseFile is where cases of the mapping belong.
func (s *Setup) CaseFile() string {
	ext := filepath.Ext(s.Settings.Mapping)
	return shown(strings.TrimSuffix(s.Settings.Mapping, ext) + "_test" + cmp.Or(strings.Replace(ext, ".d", ".yaml", 1), ".yaml"))
}

var globSpecial = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

func globSafe(path string) string { return globSpecial.Replace(path) }

// CaseOptions are the names of the settings that cases may use.
func (s *Setup) CaseOptions() cases.Options {
	o := cases.Options{Zone: s.Settings.Defaults.Zone}
	for _, b := range s.Settings.Sources {
		o.Sources = append(o.Sources, b.Name)
	}
	for _, b := range s.Settings.Connectors {
		o.Connectors = append(o.Connectors, b.Name)
	}
	return o
}

// RunCase tries a case of a file in the folder dir: its payloads are read as
// the daemon would read them, were they all that it had of the call.
func (s *Setup) RunCase(c *cases.Case, dir string) cases.Outcome {
	ev, problem := s.caseEvent(c, dir)
	return cases.Run(s.Rules, c, ev, problem)
}

func (s *Setup) caseEvent(c *cases.Case, dir string) (*event.Event, string) {
	if s.Sources[c.Source] == nil {
		return nil, fmt.Sprintf("the settings of source %q are wrong; crmsyncd check says where", c.Source)
	}
	var story []*event.Event
	var own *event.Event
	joined := false
	for i, p := range append(slices.Clone(c.Earlier), c.Payload) {
		body, problem := s.caseBody(c, p, dir)
		if problem != "" {
			return nil, problem
		}
		e := store.Event{Seq: uint64(i + 1), Source: c.Source, Vendor: s.Type(c.Source), Origin: event.Webhook, Body: body, ContentType: cmp.Or(c.ContentType, ContentType(body)), ReceivedAt: c.At}
		if e.ReceivedAt.IsZero() {
			e.ReceivedAt = s.happened(e)
		}
		if parsed := s.Sources[c.Source].Parse(request(e)); parsed.Problem != "" {
			return nil, p.Problem("the payload would be kept in quarantine: "+parsed.Problem, "").Error()
		}
		ev, calls, err := s.read(e)
		if err != nil {
			return nil, p.Problem(err.Error(), "").Error()
		}
		if ev.OccurredAt.IsZero() {
			ev.OccurredAt = e.ReceivedAt
		}
		own, story = ev, append(story, ev)
		joined = joined || len(calls) > 0
	}
	if joined {
		own = event.Join(own, story)
	}
	return own, ""
}

// happened is when a payload says that it happened, or sampleAt.
func (s *Setup) happened(e store.Event) time.Time {
	for _, at := range []time.Time{sampleAt, muchLater} {
		e.ReceivedAt = at
		if p := s.Sources[e.Source].Parse(request(e)); p.Problem == "" {
			if t := p.Event.OccurredAt; !t.IsZero() {
				return t
			}
			return at
		}
	}
	return sampleAt
}

func (s *Setup) caseBody(c *cases.Case, p cases.Payload, dir string) ([]byte, string) {
	switch {
	case p.Sample != "":
		sampler, ok := s.Sources[c.Source].(sources.Sampler)
		if !ok {
			return nil, p.Problem(fmt.Sprintf("the source %q has no made-up payloads", c.Source), "write the payload out below payload:").Error()
		}
		at := c.At
		if at.IsZero() {
			at = sampleAt
		}
		body, err := sampler.Sample(p.Sample, samplePerson, at)
		if err != nil {
			return nil, p.Problem(err.Error(), diag.DidYouMean(p.Sample, sampler.Samples())).Error()
		}
		return body, ""
	case p.File != "":
		path := p.File
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, filepath.FromSlash(path))
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return nil, p.Problem(p.File+" cannot be read: "+reasonOf(err), "name a file beside this one, or write the payload out as keys and values").Error()
		}
		return body, ""
	}
	return p.Body, ""
}

// ContentType is what vendors call a payload of that look: a form where it is no
// JSON and has a =.
func ContentType(body []byte) string {
	if !json.Valid(body) && bytes.ContainsRune(body, '=') && !bytes.ContainsAny(body, "{[\n") {
		return "application/x-www-form-urlencoded"
	}
	return "application/json"
}

// Expect gives the text of a file of cases with what comes of each in the
// place of what it expects.
func (s *Setup) Expect(name string, text []byte) ([]byte, error) {
	f, problems := cases.Read(name, text, s.CaseOptions())
	if err := problems.Err(); err != nil {
		return nil, err
	}
	var outcomes []cases.Outcome
	for _, c := range f.Cases {
		outcomes = append(outcomes, s.RunCase(c, filepath.Dir(name)))
	}
	out, _, err := f.Update(outcomes)
	return out, err
}
