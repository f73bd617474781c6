package httpx

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// keys is an Auth with one key after the other.
type keys struct {
	now, next Access
	err       error
	renewals  int
}

func (k *keys) Access(context.Context) (Access, error) { return k.now, nil }

func (k *keys) Renew(_ context.Context, stale Access) (Access, error) {
	k.renewals++
	if k.err != nil {
		return Access{}, k.err
	}
	return k.next, nil
}

func TestAuth(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Authorization") != "Bearer good" || string(body) != `{"a":1}` {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(s.Close)
	bad, good, lost := Access{Authorization: "Bearer bad"}, Access{Authorization: "Bearer good"}, errors.New("no access any more")
	for _, c := range []struct {
		name     string
		keys     *keys
		base     string
		status   int
		err      error
		renewals int
	}{
		{"a good key is sent once", &keys{now: good}, s.URL, 200, nil, 0},
		{"a create is sent again with a new key", &keys{now: bad, next: good}, s.URL, 200, nil, 1},
		{"without a new key the refusal is the answer", &keys{now: bad, next: bad}, s.URL, 401, nil, 1},
		{"a new key that is refused, too, is renewed once more", &keys{now: bad, next: Access{Authorization: "Bearer worse"}}, s.URL, 401, nil, 2},
		{"the reason for no key comes out as it is", &keys{now: bad, err: lost}, s.URL, 0, lost, 1},
		{"a key for another address is sent there", &keys{now: Access{good.Authorization, s.URL}}, "http://127.0.0.1:1", 200, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cl := client(t, Options{BaseURL: c.base, Auth: c.keys, Header: http.Header{"Authorization": {"Bearer old"}}})
			r, err := cl.Do(t.Context(), Request{Method: "POST", Path: "/x", Body: map[string]int{"a": 1}})
			if !errors.Is(err, c.err) || err == nil && r.Status != c.status || c.keys.renewals != c.renewals {
				t.Errorf("got %+v %v after %d renewals", r, err, c.keys.renewals)
			}
		})
	}
}
