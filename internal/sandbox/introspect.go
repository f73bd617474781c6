package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// errNoObject and errNoRecord are answered as 404 by the introspection paths.
var (
	errNoObject = errors.New("no such object")
	errNoRecord = errors.New("no such record")
)

// introspect serves the paths below /_/. Their errors are {"error": "…"}.
func (s *Sandbox) introspect(r *http.Request, below string, body []byte) answer {
	var seg []string
	for part := range strings.SplitSeq(strings.Trim(below, "/"), "/") {
		if decoded, err := url.PathUnescape(part); err == nil {
			part = decoded
		}
		seg = append(seg, part)
	}
	switch route := r.Method + " " + seg[0]; {
	case route == "GET requests" && len(seg) == 1:
		return jsonAnswer(http.StatusOK, s.journal.list(r.URL.Query().Get("crm")))
	case route == "GET stats" && len(seg) == 1:
		return jsonAnswer(http.StatusOK, s.journal.stats())
	case route == "GET faults" && len(seg) == 1:
		return jsonAnswer(http.StatusOK, s.faults.list())
	case route == "POST faults" && len(seg) == 1:
		return s.addFaults(body)
	case route == "DELETE faults" && len(seg) == 1:
		s.faults.clear()
		return answer{status: http.StatusNoContent}
	case route == "POST reset" && len(seg) == 1:
		s.reset()
		return answer{status: http.StatusNoContent}
	case seg[0] == "records" && len(seg) >= 3 && len(seg) <= 4:
		return s.recordPaths(r.Method, seg[1:], body)
	case seg[0] == "requests" || seg[0] == "stats" || seg[0] == "faults" || seg[0] == "reset":
		return plainError(http.StatusMethodNotAllowed, "wrong method for /_/"+seg[0])
	default:
		return plainError(http.StatusNotFound, "known paths: /_/records/{crm}/{object}[/{id}], /_/requests, /_/stats, /_/faults, /_/reset")
	}
}

func (s *Sandbox) reset() {
	for i := range s.vendors {
		v := &s.vendors[i]
		v.mu.Lock()
		v.vendor.reset()
		v.mu.Unlock()
	}
	s.faults.clear()
	s.caught.reset()
	s.journal.reset()
}

// addFaults takes a list of faults, or one alone; an empty list ends all.
func (s *Sandbox) addFaults(body []byte) answer {
	body = bytes.TrimSpace(body)
	if len(body) > 0 && body[0] == '{' {
		body = append(append([]byte{'['}, body...), ']')
	}
	var add []*Fault
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&add); err != nil {
		return plainError(http.StatusBadRequest, "a JSON list of faults is wanted: "+err.Error())
	}
	for _, f := range add {
		if f == nil {
			return plainError(http.StatusBadRequest, "null is not a fault")
		}
		if f.CRM != "" && f.CRM != "webhook" && s.vendor(f.CRM) == nil {
			return plainError(http.StatusBadRequest, "crm: one of "+s.names()+" is wanted")
		}
		if err := f.check(); err != nil {
			return plainError(http.StatusBadRequest, err.Error())
		}
	}
	if len(add) == 0 {
		s.faults.clear()
	}
	s.faults.set(add)
	return jsonAnswer(http.StatusOK, s.faults.list())
}

// recordPaths serves /_/records/{crm}/{object}[/{id}].
func (s *Sandbox) recordPaths(method string, seg []string, body []byte) answer {
	crm, object := seg[0], seg[1]
	if crm == "webhook" && method == http.MethodGet && len(seg) == 2 {
		return jsonAnswer(http.StatusOK, s.caught.list(object))
	}
	v := s.vendor(crm)
	if v == nil {
		return plainError(http.StatusNotFound, "no such crm: one of "+s.names()+" is wanted")
	}
	var fields map[string]any
	if method == http.MethodPut || method == http.MethodPost {
		var err error
		if fields, err = decodeFields(body); err != nil {
			return plainError(http.StatusBadRequest, "a JSON object {field: value} is wanted: "+err.Error())
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case method == http.MethodGet && len(seg) == 2:
		records, err := v.records(object)
		return recordAnswer(http.StatusOK, records, err)
	case method == http.MethodGet:
		records, err := v.records(object)
		for _, r := range records {
			if r.ID == seg[2] {
				return jsonAnswer(http.StatusOK, r)
			}
		}
		if err == nil {
			err = errNoRecord
		}
		return recordAnswer(http.StatusOK, nil, err)
	case method == http.MethodPost && len(seg) == 2:
		record, err := v.create(object, fields)
		return recordAnswer(http.StatusCreated, record, err)
	case method == http.MethodPut && len(seg) == 3:
		record, err := v.edit(object, seg[2], fields)
		return recordAnswer(http.StatusOK, record, err)
	case method == http.MethodDelete && len(seg) == 3:
		if err := v.remove(object, seg[2]); err != nil {
			return recordAnswer(0, nil, err)
		}
		return answer{status: http.StatusNoContent}
	default:
		return plainError(http.StatusMethodNotAllowed, "wrong method for this path")
	}
}

func recordAnswer(status int, v any, err error) answer {
	switch {
	case err == nil:
		return jsonAnswer(status, v)
	case errors.Is(err, errNoObject), errors.Is(err, errNoRecord):
		return plainError(http.StatusNotFound, err.Error())
	default:
		return plainError(http.StatusUnprocessableEntity, err.Error())
	}
}

// decodeFields keeps numbers as they were written: ids are longer than a float.
func decodeFields(body []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var fields map[string]any
	if err := dec.Decode(&fields); err != nil {
		return nil, err
	}
	if fields == nil {
		return nil, errors.New("it is null")
	}
	return fields, nil
}
