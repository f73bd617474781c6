package admin_test

import (
	"net/http/httptest"
	"testing"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

func TestNote(t *testing.T) {
	t.Parallel()
	d := keeperDesk(t)
	srv := httptest.NewServer(admin.Handler(d, nil))
	t.Cleanup(srv.Close)
	c := admin.NewClient(srv.Listener.Addr().String())
	if err := c.Note(t.Context(), "provision", []string{"hubspot.contacts.status"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Note(t.Context(), "erase", nil); err == nil {
		t.Error("anything can be noted")
	}
	if _, err := c.Encrypt(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	list, err := c.Audits(t.Context(), store.AuditFilter{})
	if err != nil || len(list) != 2 || list[0].What != "ledger encrypt" || list[1].What != "provision" || list[1].On[0] != "hubspot.contacts.status" {
		t.Errorf("want encrypt and provision, got %+v, %v", list, err)
	}
}
