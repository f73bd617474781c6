package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

const (
	// sfMostParts and sfMostReads are the limits of a composite request
	// (Composite, 2026-11).
	sfMostParts = 25
	sfMostReads = 5
)

type sfPart struct {
	Method      string            `json:"method"`
	URL         string            `json:"url"`
	ReferenceID string            `json:"referenceId"`
	Body        json.RawMessage   `json:"body"`
	Headers     map[string]string `json:"httpHeaders"`
}

var sfReferenceID = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]*$`)

// composite does up to 25 calls that count as one. A part may use what an
// earlier one answered, as @{referenceId.id}.
func (s *salesforce) composite(c *call) answer {
	if c.method != http.MethodPost {
		return sfWrongMethod(c.method).answer()
	}
	var in struct {
		AllOrNone          bool     `json:"allOrNone"`
		CollateSubrequests bool     `json:"collateSubrequests"`
		Parts              []sfPart `json:"compositeRequest"`
	}
	dec := json.NewDecoder(bytes.NewReader(c.body))
	dec.DisallowUnknownFields()
	if dec.Decode(&in) != nil {
		return sfBad("JSON_PARSER_ERROR", "The request body is no composite request").answer()
	}
	reads := 0
	for _, p := range in.Parts {
		if strings.Contains(p.URL, "/query") || strings.Contains(p.URL, "/composite/sobjects") {
			reads++
		}
		if !sfReferenceID.MatchString(p.ReferenceID) {
			return sfBad("INVALID_INPUT", "Provided referenceId is invalid: "+p.ReferenceID).answer()
		}
	}
	if len(in.Parts) == 0 || len(in.Parts) > sfMostParts || reads > sfMostReads {
		return sfBad("INVALID_INPUT", fmt.Sprintf("A composite request takes %d parts, of which %d are queries or collections", sfMostParts, sfMostReads)).answer()
	}
	undo := s.snapshot(in.AllOrNone)
	answers := map[string]any{}
	var out []map[string]any
	failed := false
	for _, p := range in.Parts {
		a := s.part(c, p, answers)
		var body any
		_ = json.Unmarshal(a.body, &body) // no body: null
		answers[p.ReferenceID] = body
		failed = failed || a.status >= 300
		headers := map[string]string{}
		if at := a.header.Get("Location"); at != "" {
			headers["Location"] = at
		}
		out = append(out, map[string]any{"body": body, "httpHeaders": headers, "httpStatusCode": a.status, "referenceId": p.ReferenceID})
	}
	if in.AllOrNone && failed {
		undo()
		for _, one := range out {
			if one["httpStatusCode"].(int) < 300 {
				one["httpStatusCode"] = http.StatusBadRequest
				one["body"] = []any{map[string]any{"errorCode": "PROCESSING_HALTED", "message": "The transaction was rolled back since another operation in the same transaction failed."}}
			}
		}
	}
	return jsonAnswer(http.StatusOK, map[string]any{"compositeResponse": out})
}

func (s *salesforce) part(c *call, p sfPart, answers map[string]any) answer {
	target, missing := sfFill(p.URL, answers)
	body, also := sfFill(string(p.Body), answers)
	if missing != "" || also != "" {
		return sfBad("PROCESSING_HALTED", "Invalid reference specified. No value for "+missing+also+" found").answer()
	}
	u, err := url.Parse(target)
	if err != nil || u.IsAbs() {
		return sfBad("INVALID_INPUT", "the url of a part begins with /services/data").answer()
	}
	header := c.header.Clone()
	for k, v := range p.Headers {
		header.Set(k, v)
	}
	sub := &call{method: p.Method, path: u.Path, query: u.Query(), rawURL: len(target), header: header, body: []byte(body), host: c.host, now: c.now}
	for part := range strings.SplitSeq(u.EscapedPath(), "/") {
		if decoded, err := url.PathUnescape(part); err == nil && part != "" {
			sub.segments = append(sub.segments, decoded)
		}
	}
	if sub.rawURL > sfMaxURL {
		return sfErr(http.StatusRequestURITooLong, "URI_TOO_LONG", "URI Too Long").answer()
	}
	if n := len(sub.segments); n == 4 && sub.segments[3] == "composite" {
		return sfBad("INVALID_INPUT", "a composite request cannot hold another one").answer()
	}
	return s.route(sub)
}

var sfReference = regexp.MustCompile(`@\{([a-zA-Z][a-zA-Z0-9_]*)((?:\.[A-Za-z_]+|\[[0-9]+\])*)\}`)

// sfFill puts in what earlier parts answered; missing is what there is not.
func sfFill(text string, answers map[string]any) (filled, missing string) {
	filled = sfReference.ReplaceAllStringFunc(text, func(ref string) string {
		m := sfReference.FindStringSubmatch(ref)
		v := answers[m[1]]
		for _, step := range strings.FieldsFunc(m[2], func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
			switch node := v.(type) {
			case map[string]any:
				v = node[step]
			case []any:
				i := 0
				if _, err := fmt.Sscan(step, &i); err != nil || i >= len(node) {
					v = nil
					continue
				}
				v = node[i]
			default:
				v = nil
			}
		}
		if v == nil {
			missing = m[1] + m[2]
			return ""
		}
		return fmt.Sprint(v)
	})
	return filled, missing
}
