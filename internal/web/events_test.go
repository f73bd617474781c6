package web_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/web"
)

func TestAnEventThatMendsSaysOfWhichOneItWritesWhat(t *testing.T) {
	t.Parallel()
	d := evil()
	d.event.ID, d.event.Mends = "evt_8", &admin.Mends{Event: "evt_1", Connector: "hubspot", Step: "Status/contacts", Fields: []string{"telli_status"}}
	p := web.New(d, nil)
	for address, want := range map[string]string{
		"/events":       ", mends evt_1</td>",
		"/events/evt_8": "It mends evt_1: writes only telli_status of contacts in hubspot.",
	} {
		if got := get(p, operator, "GET", address, url.Values{}).Body.String(); !strings.Contains(got, want) {
			t.Errorf("%s does not show %q", address, want)
		}
	}
}
