package web

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

// count reads a number of an address; 0 where there is none.
func count(r *http.Request, name string) (uint64, error) {
	s := r.URL.Query().Get(name)
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, wrong{errors.New(name + " must be a whole number")}
	}
	return n, nil
}

// runs lists reconcile runs, newest first.
func (p *Pages) runs(r *http.Request) (*view, error) {
	before, err := count(r, "before")
	if err != nil {
		return nil, err
	}
	list, err := p.desk.Runs(r.Context(), store.RunFilter{Before: before, Limit: perPage})
	if err != nil {
		return nil, err
	}
	body := struct {
		List  []store.Run
		Older string
	}{List: list}
	if n := len(list); n == perPage {
		body.Older = older(r, strconv.FormatUint(list[n-1].ID, 10))
	}
	v := &view{page: "runs", Title: "Reconcile", Nav: "/reconcile", Body: body}
	if before == 0 {
		v.Live = 15
	}
	return v, nil
}

// run shows a reconcile run with what it found.
func (p *Pages) run(r *http.Request) (*view, error) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, wrong{errors.New("a run has a number")}
	}
	from, err := count(r, "from")
	if err != nil {
		return nil, err
	}
	report, err := p.desk.Findings(r.Context(), id)
	if err != nil {
		return nil, err
	}
	total := len(report.Found)
	first := int(min(from, uint64(total)))
	last := min(first+4*perPage, total)
	report.Found = report.Found[first:last]
	body := struct {
		admin.RunReport
		First, Last, Total int
	}{report, first + 1, last, total}
	v := &view{page: "run", Title: "Run " + strconv.FormatUint(id, 10), Nav: "/reconcile", Body: body}
	if report.State == store.RunGoing {
		v.Live = 5
	}
	return v, nil
}

// audit lists who did what, newest first.
func (p *Pages) audit(r *http.Request) (*view, error) {
	before, err := count(r, "before")
	if err != nil {
		return nil, err
	}
	list, err := p.desk.Audits(r.Context(), store.AuditFilter{Before: before, Limit: perPage})
	if err != nil {
		return nil, err
	}
	body := struct {
		List  []store.Audit
		Older string
	}{List: list}
	if n := len(list); n == perPage {
		body.Older = older(r, strconv.FormatUint(list[n-1].ID, 10))
	}
	return &view{page: "audit", Title: "Audit trail", Nav: "/audit", Body: body}, nil
}
