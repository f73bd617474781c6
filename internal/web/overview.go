package web

import (
	"net/http"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/doctor"
	"github.com/crmsyncd/crmsyncd/store"
)

// shownRuns are the newest reconcile runs of the overview.
const shownRuns = 5

// overview shows how everything fares, what needs a person first.
func (p *Pages) overview(r *http.Request) (*view, error) {
	body := struct {
		admin.Status
		Needs   []doctor.Finding // what a person should know, the worst first
		Waiting uint64
		Dead    uint64
		Runs    []store.Run
	}{}
	var err error
	if body.Status, err = p.desk.Status(r.Context()); err != nil {
		return nil, err
	}
	for _, c := range body.Connectors {
		body.Waiting += c.Waiting
		body.Dead += c.Dead
	}
	body.Waiting += body.Unplanned
	if p.judge != nil {
		found := p.judge(body.Status)
		for _, worst := range []doctor.State{doctor.Fail, doctor.Warn} {
			for _, f := range found {
				if f.State == worst {
					body.Needs = append(body.Needs, f)
				}
			}
		}
	}
	if admin.VisitorOf(r.Context()).Role >= admin.Read {
		if body.Runs, err = p.desk.Runs(r.Context(), store.RunFilter{Limit: shownRuns}); err != nil {
			return nil, err
		}
	}
	return &view{page: "overview", Title: "Overview", Nav: "/", Live: 10, Body: body}, nil
}
