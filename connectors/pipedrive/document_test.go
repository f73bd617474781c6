package pipedrive_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/crmsyncd/crmsyncd/internal/fidelity"
)

// documents are read once for all tests.
var documents = sync.OnceValues(func() (fidelity.Documents, error) {
	return fidelity.Pipedrive("../../../shared/specs/pipedrive")
})

// documented holds every request and answer of the API against the vendor's
// documents.
func documented(t *testing.T, next http.Handler) http.Handler {
	docs, err := documents()
	if err != nil {
		t.Log("requests and answers are not held against the vendor's documents: ", err)
		return next
	}
	return fidelity.Watch(next, "/pipedrive", func(e fidelity.Exchange) {
		for _, problem := range docs.Check(e) {
			t.Errorf("%s: %s", e, problem)
		}
	})
}
