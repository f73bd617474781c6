package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/web"
)

// FuzzPages holds that whatever a browser sends is answered, that no page has a
// script or a handler that is not ours, and that no GET changes anything.
func FuzzPages(f *testing.F) {
	for _, address := range pages {
		path, query, _ := strings.Cut(address, "?")
		f.Add("GET", path, query, "", "")
		f.Add("POST", path, query, "application/x-www-form-urlencoded", "id=evt_7.x&id=evt_8&reason=why")
	}
	f.Add("POST", "/events/evt_7/values", "", "multipart/form-data; boundary=x", "--x\r\n")
	f.Add("GET", "/events", "state="+hostile+"&zone=../../etc/passwd&since=-1h&before=evt_0", "", "")
	f.Add("GET", "/reconcile/18446744073709551615", "from=4294967295", "", "")
	f.Fuzz(func(t *testing.T, method, path, query, kind, body string) {
		d := evil()
		req, err := http.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
		if err != nil || req.URL.Host != "localhost" || req.URL.Path == "" || strings.ContainsAny(path, "?#") {
			return
		}
		req.URL.RawQuery = query
		req.Header.Set("Content-Type", kind)
		_ = req.PostFormValue("form") // the gate has read it
		w := httptest.NewRecorder()
		web.New(d, judge).ServeHTTP(w, req.WithContext(admin.WithVisitor(req.Context(), operator)))
		if w.Code < 200 || w.Code > 599 {
			t.Fatalf("answered %d", w.Code)
		}
		if len(d.did) > 0 && (method == http.MethodGet || method == http.MethodHead || w.Code >= 400) {
			t.Errorf("%s %s was answered %d and did %q", method, path, w.Code, d.did)
		}
		if strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") && w.Code != 301 && w.Code != 303 && w.Code != 307 && w.Code != 308 {
			check(t, method+" "+path, w)
		}
	})
}
