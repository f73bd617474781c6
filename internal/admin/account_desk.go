package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
)

// seen are the accounts that the desk answers about, one of each connector.
type seen struct {
	mu   sync.Mutex
	open map[string]connectors.Connector
}

// of gives an account, opened anew where that is asked for: people want to
// hear what the CRM has now.
func (s *seen) of(name string, anew bool, open func(string) (connectors.Connector, error)) (connectors.Connector, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.open[name]; c != nil && !anew {
		return c, nil
	}
	c, err := open(name)
	if err != nil {
		return nil, err
	}
	if s.open == nil {
		s.open = map[string]connectors.Connector{}
	}
	s.open[name] = c
	return c, nil
}

func (d *Desk) account(ctx context.Context, name string, q question) (out accountAnswer, err error) {
	if d.Accounts == nil {
		return out, errors.New("accounts cannot be asked here")
	}
	c, err := d.seen.of(name, q.Ask == askOpen, d.Accounts)
	if err != nil || q.Ask == askOpen {
		return out, err
	}
	if q.Ask == askFind {
		out.Found, err = find(ctx, c, q.Matches)
		out.Error = errorAnswer(err)
		return out, nil
	}
	checker, ok := c.(connectors.Checker)
	if !ok {
		return out, fmt.Errorf("%s takes whatever is sent: it has no fields", name)
	}
	var f connectors.Field
	if len(q.Fields) > 0 {
		f = q.Fields[0]
	}
	var refused *connectors.Error
	switch q.Ask {
	case askDescribe:
		out.Schema, err = c.Describe(ctx, q.Objects)
		refused = connectors.AsError(err)
	case askObjects:
		if l, ok := c.(connectors.Lister); ok {
			out.Objects, err = l.Objects(ctx)
			refused = connectors.AsError(err)
		}
	case askField:
		out.Field, refused = checker.CheckField(ctx, q.Object, q.Name)
	case askValue:
		refused = checker.CheckValue(ctx, q.Object, f, unpacked(q.Value))
	case askKey:
		refused = checker.CheckKey(ctx, q.Object, q.Fields)
	case askLink:
		refused = checker.CheckLink(ctx, q.Object, q.Link)
	case askPropose, askCreate:
		p, ok := c.(connectors.Provisioner)
		switch {
		case !ok:
			out.Manual = "make it in the CRM"
		case q.Ask == askPropose:
			out.Field, out.Manual = p.Propose(q.Object, f)
		default:
			refused = connectors.AsError(p.CreateField(ctx, q.Object, f))
		}
	default:
		return out, fmt.Errorf("this daemon cannot be asked for %q; is it of another version than the command?", q.Ask)
	}
	if refused != nil {
		out.Error = errorAnswer(refused)
	}
	return out, nil
}

// account serves what the command line asks of an account.
func (h *handler) account(w http.ResponseWriter, r *http.Request) {
	d, ok := h.ops.(interface {
		account(context.Context, string, question) (accountAnswer, error)
	})
	if !ok {
		fail(w, http.StatusNotFound, "accounts cannot be asked here")
		return
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder))
	dec.UseNumber()
	var q question
	if err := dec.Decode(&q); err != nil {
		fail(w, http.StatusBadRequest, `the body must be {"ask": …}`)
		return
	}
	out, err := d.account(r.Context(), r.PathValue("name"), q)
	reply(w, out, err)
}

// unpacked gives a value that was packed its type back.
func unpacked(v any) connectors.Value {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return int(n)
		}
		f, _ := v.Float64() // the decoder took it for a number
		return f
	case map[string]any:
		switch n := v["seconds"].(type) {
		case json.Number:
			f, _ := n.Float64()
			return event.Seconds(f)
		case float64: // in an answer
			return event.Seconds(n)
		}
		s, _ := v["time"].(string)
		t, _ := time.Parse(time.RFC3339Nano, s)
		return t
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = unpacked(x)
		}
		return out
	}
	return v
}
