package fidelity

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Endpoints is HubSpot's published list: methods, paths, documented statuses.
type Endpoints struct {
	paths places[map[string][]string] // by method, the statuses
	areas map[string]bool             // first segments without versions of what is listed
}

// HubSpot reads hubspot-endpoint-facts.json. Where it is missing the error
// wraps fs.ErrNotExist.
func HubSpot(file string) (*Endpoints, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var facts map[string][]struct {
		Method, Path string
		Statuses     []string `json:"documentedStatuses"`
	}
	if err := json.Unmarshal(text, &facts); err != nil {
		return nil, fmt.Errorf("hubspot's list of endpoints: %w", err)
	}
	byPath := map[string]map[string][]string{}
	for _, list := range facts {
		for _, fact := range list {
			// The list has the labels of v4 in the order of the date paths; the
			// client calls them in the order of v3, as all else of v4.
			older := strings.Replace(fact.Path, "/crm/associations/v4/", "/crm/v4/associations/", 1)
			for _, path := range []string{fact.Path, older} {
				if byPath[path] == nil {
					byPath[path] = map[string][]string{}
				}
				byPath[path][fact.Method] = fact.Statuses
			}
		}
	}
	e := &Endpoints{paths: places[map[string][]string]{}, areas: map[string]bool{}}
	for path, methods := range byPath {
		e.paths.add(path, methods)
		e.areas[area(path)] = true
	}
	return e, nil
}

// area is the part of the API that a path belongs to, such as crm objects.
func area(path string) string {
	var out []string
	for s := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if len(out) < 2 && !strings.HasPrefix(s, "{") && strings.Trim(s, "v0123456789-") != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, " ")
}

// Check lists what of an exchange does not fit the list. The list documents no
// error but "default"; parts of the API that it leaves out are not looked at.
func (es *Endpoints) Check(e Exchange) []string {
	if !es.areas[area(e.Path)] {
		return nil
	}
	methods, found := es.paths.find(strings.Split(strings.Trim(e.Path, "/"), "/"))
	statuses := methods[e.Method]
	switch {
	case e.Status >= 400 && (!found || statuses == nil):
		return nil // refused, as it should be
	case !found:
		return []string{"the list has no such path"}
	case statuses == nil:
		return []string{"the list has no such method"}
	case e.Status >= 400 && !slices.Contains(statuses, "default"):
		return []string{"no error is in the list"}
	case e.Status < 400 && !slices.Contains(statuses, strconv.Itoa(e.Status)):
		return []string{fmt.Sprintf("status %d is none of %v", e.Status, statuses)}
	}
	return nil
}
