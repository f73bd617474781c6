package sandbox

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// errShelfID is a person giving an id that is taken or empty, or changing one.
var errShelfID = errors.New("the id must be one that no other record has, and it cannot change")

// shelf holds what a vendor's read API gives: records of one kind, as people
// put them there. Nothing else writes to them.
type shelf struct {
	key      string   // the field that is the id
	names    []string // of the object on the introspection paths
	next     int      // the id of the next record that comes without one
	defaults func(now time.Time) map[string]any
	now      func() time.Time
	rows     []map[string]any
}

func (s *shelf) check(object string) error {
	if !slices.Contains(s.names, object) {
		return errNoObject
	}
	return nil
}

func (s *shelf) record(row map[string]any) Record {
	return Record{ID: plainText(row[s.key]), Fields: maps.Clone(row), Links: []Link{}}
}

func (s *shelf) find(id string) map[string]any {
	for _, row := range s.rows {
		if id != "" && plainText(row[s.key]) == id {
			return row
		}
	}
	return nil
}

func (s *shelf) records(object string) ([]Record, error) {
	if err := s.check(object); err != nil {
		return nil, err
	}
	out := make([]Record, 0, len(s.rows))
	for _, row := range s.rows {
		out = append(out, s.record(row))
	}
	return out, nil
}

// create fills in what the vendor always sends, so that a test may give only
// what it means.
func (s *shelf) create(object string, fields map[string]any) (Record, error) {
	if err := s.check(object); err != nil {
		return Record{}, err
	}
	row := s.defaults(s.now())
	maps.Copy(row, fields)
	if _, given := fields[s.key]; !given {
		for {
			s.next++
			if row[s.key] = json.Number(strconv.Itoa(s.next)); s.find(strconv.Itoa(s.next)) == nil {
				break
			}
		}
	}
	if id := plainText(row[s.key]); id == "" || s.find(id) != nil {
		return Record{}, errShelfID
	}
	s.rows = append(s.rows, row)
	return s.record(row), nil
}

func (s *shelf) edit(object, id string, fields map[string]any) (Record, error) {
	if err := s.check(object); err != nil {
		return Record{}, err
	}
	row := s.find(id)
	if row == nil {
		return Record{}, errNoRecord
	}
	if changed, sent := fields[s.key]; sent && plainText(changed) != id {
		return Record{}, errShelfID
	}
	maps.Copy(row, fields)
	return s.record(row), nil
}

func (s *shelf) remove(object, id string) error {
	if err := s.check(object); err != nil {
		return err
	}
	if s.find(id) == nil {
		return errNoRecord
	}
	s.rows = slices.DeleteFunc(s.rows, func(row map[string]any) bool { return plainText(row[s.key]) == id })
	return nil
}

func (s *shelf) reset() { s.rows = nil }

// plainText is a text or number as people write it, "" for all else.
func plainText(v any) string {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return v.String()
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case int:
		return strconv.Itoa(v)
	}
	return ""
}

// whole reads a whole number of a query between least and most; fallback where
// there is none.
func whole(c *call, name string, fallback, least, most int) (int, bool) {
	text := c.query.Get(name)
	if text == "" {
		return fallback, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= least && n <= most
}

// cutPage is a part of a list by offset and limit.
func cutPage[T any](list []T, offset, limit int) []T {
	return list[min(offset, len(list)):min(offset+limit, len(list))]
}
