package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// retrieve reads records by their ids; one that is not there is null.
func (s *salesforce) retrieve(c *call, name string) answer {
	o := s.object(name)
	if o == nil {
		return sfNoResource().answer()
	}
	in := struct {
		IDs    []string `json:"ids"`
		Fields []string `json:"fields"`
	}{}
	if c.method == http.MethodPost {
		if json.Unmarshal(c.body, &in) != nil {
			return sfBad("JSON_PARSER_ERROR", "The request body is no list of ids").answer()
		}
	} else {
		in.IDs, in.Fields = strings.Split(c.query.Get("ids"), ","), strings.Split(c.query.Get("fields"), ",")
	}
	if len(in.IDs) > sfMostRead {
		return sfBad("INVALID_INPUT", fmt.Sprintf("Maximum number of records exceeded: %d", sfMostRead)).answer()
	}
	out := []any{}
	for _, id := range in.IDs {
		r := o.byID[sfFull(id)]
		if r == nil || r.deleted {
			out = append(out, nil)
			continue
		}
		shown, e := o.show(r, in.Fields)
		if e != nil {
			return e.answer()
		}
		out = append(out, shown)
	}
	return jsonAnswer(http.StatusOK, out)
}

func (s *salesforce) removeMany(c *call) answer {
	ids := strings.Split(c.query.Get("ids"), ",")
	if len(ids) > sfMost {
		return sfBad("INVALID_INPUT", fmt.Sprintf("Maximum number of records exceeded: %d", sfMost)).answer()
	}
	var steps []sfStep
	for _, id := range ids {
		steps = append(steps, func() (map[string]any, *sfError) {
			switch _, r := s.byID(id); {
			case r == nil:
				return nil, sfBad("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
			case r.deleted:
				return nil, sfBad("ENTITY_IS_DELETED", "entity is deleted")
			default:
				r.bury()
				return sfSaved(r.id, nil), nil
			}
		})
	}
	return jsonAnswer(http.StatusOK, s.run(c, steps, c.query.Get("allOrNone") == "true"))
}
