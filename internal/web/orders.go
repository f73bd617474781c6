package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

// order is something that a person can have done with events or deliveries. It
// is asked back first, by a GET that changes nothing.
type order struct {
	Verb   string // as a button says it
	Doing  string // as it is said when it is done
	Thing  string // event or delivery
	Help   string
	None   string // why it changed none of them
	Reason bool   // is to be given
	do     func(ctx context.Context, d Desk, ids []string, reason string) (changed int, err error)
}

// orders by their paths.
var orders = map[string]order{
	"deliveries/retry": {Verb: "Retry", Doing: "Retrying", Thing: "delivery", Help: "They are tried at once, by today's rules, their attempts counted anew. Nothing is made twice.", None: finished,
		do: each(store.ParseDeliveryID, func(d Desk, ctx context.Context, ids []store.DeliveryID, _ string) (int, error) {
			return d.Retry(ctx, ids)
		})},
	"deliveries/discard": {Verb: "Discard", Doing: "Discarded", Thing: "delivery", Help: "They end here: nothing more of them is written to the CRM. A replay of their events brings them back.", None: finished, Reason: true,
		do: each(store.ParseDeliveryID, Desk.Discard)},
	"events/replay": {Verb: "Replay", Doing: "Replaying", Thing: "event", Help: "They go their way again, by today's rules. Records that were made are written again, none is made twice, and older values do not overwrite newer ones.",
		do: each(store.ParseEventID, func(d Desk, ctx context.Context, seqs []uint64, _ string) (int, error) { return d.Replay(ctx, seqs) })},
	"events/discard": {Verb: "Set aside", Doing: "Set aside", Thing: "event", Help: "For events that no rule wants, or that could not be understood. A replay brings them back.", None: "they go somewhere, or were set aside before", Reason: true,
		do: each(store.ParseEventID, Desk.DiscardEvents)},
}

const finished = "what was chosen is done or discarded"

// each has something done with ids once all of them are read.
func each[T any](parse func(string) (T, error), do func(Desk, context.Context, []T, string) (int, error)) func(context.Context, Desk, []string, string) (int, error) {
	return func(ctx context.Context, d Desk, ids []string, reason string) (int, error) {
		list := make([]T, len(ids))
		for i, s := range ids {
			var err error
			if list[i], err = parse(s); err != nil {
				return 0, wrong{err}
			}
		}
		return do(d, ctx, list, reason)
	}
}

// previewed are the events of an order of which it is shown what would be
// written.
const previewed = 10

// ask asks back before an order is given.
func (p *Pages) ask(r *http.Request, name string, o order) (*view, error) {
	ids := slices.Compact(slices.Sorted(slices.Values(r.URL.Query()["id"])))
	if len(ids) == 0 || len(ids) > perPage*2 {
		return nil, wrong{errors.New("choose what it is for first")}
	}
	body := struct {
		order
		Path     string
		IDs      []string
		Previews []admin.Preview
		Skipped  int // events that are not shown
	}{order: o, Path: "/" + name, IDs: ids}
	if !o.Reason {
		var seqs []uint64
		for _, id := range ids {
			ev, _, _ := strings.Cut(id, ".")
			seq, err := store.ParseEventID(ev)
			if err != nil {
				return nil, wrong{err}
			}
			if !slices.Contains(seqs, seq) {
				seqs = append(seqs, seq)
			}
		}
		body.Skipped = max(len(seqs)-previewed, 0)
		var err error
		if body.Previews, err = p.desk.Preview(r.Context(), seqs[:min(len(seqs), previewed)]); err != nil {
			return nil, err
		}
		if o.Thing == "delivery" {
			only(body.Previews, ids)
		}
	}
	return &view{page: "order", Title: o.Verb + " " + plural(len(ids), o.Thing) + "?", Nav: "/" + name[:strings.IndexByte(name, '/')], Body: body}, nil
}

// only leaves of previews what goes to the connectors of deliveries.
func only(previews []admin.Preview, ids []string) {
	for i := range previews {
		previews[i].Records = slices.DeleteFunc(previews[i].Records, func(r admin.PreviewRecord) bool {
			return !slices.Contains(ids, previews[i].Event+"."+r.Connector)
		})
	}
}

// give carries an order out and shows what it was for.
func (p *Pages) give(w http.ResponseWriter, r *http.Request, name string, o order) {
	ids, reason := r.PostForm["id"], strings.TrimSpace(r.PostFormValue("reason"))
	var n int
	var err error
	switch {
	case len(ids) == 0:
		err = wrong{errors.New("choose what it is for first")}
	case o.Reason:
		err = admin.CheckReason(reason)
	}
	if err == nil {
		n, err = o.do(r.Context(), p.desk, ids, reason)
	}
	if err != nil {
		p.answer(w, r, func(*http.Request) (*view, error) { return nil, err })
		return
	}
	to := "/" + name[:strings.IndexByte(name, '/')]
	if len(ids) == 1 {
		ev, _, _ := strings.Cut(ids[0], ".")
		to = "/events/" + url.PathEscape(ev)
	}
	http.Redirect(w, r, to+"?"+url.Values{"did": {name}, "n": {strconv.Itoa(n)}}.Encode(), http.StatusSeeOther)
}

// said is what was just done, from the address that give leads to.
func said(q url.Values) string {
	o, ok := orders[q.Get("did")]
	n, err := strconv.Atoi(q.Get("n"))
	if !ok || err != nil || n < 0 || n > perPage*2 {
		return ""
	}
	if n == 0 && o.None != "" {
		return fmt.Sprintf("%s %s: %s.", o.Doing, plural(n, o.Thing), o.None)
	}
	return fmt.Sprintf("%s %s.", o.Doing, plural(n, o.Thing))
}
