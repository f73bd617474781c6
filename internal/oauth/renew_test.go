package oauth

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/crmsyncd/crmsyncd/connectors"
)

func TestManyCallersShareOneRenewal(t *testing.T) {
	t.Parallel()
	eachVendor(t, func(t *testing.T, name string) {
		for what, over := range map[string]func(*vendor, *Source){
			"a token that is to be replaced":     (*vendor).expire,
			"a token that the vendor calls over": func(v *vendor, _ *Source) { v.outdate() },
		} {
			v := newVendor(t, name, 0)
			s := v.start()
			v.consent(s)
			over(v, s)
			before := v.tokenRequests()
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					if err := v.call(s); err != nil {
						t.Errorf("%s: %v", what, err)
					}
				})
			}
			all.Wait()
			if n := v.tokenRequests() - before; n != 1 {
				t.Errorf("%s: %d renewals, want 1", what, n)
			}
		}
	})
}

func TestOldAndNewSettingsShareOneRenewal(t *testing.T) {
	t.Parallel()
	v := newVendor(t, "airtable", 0)
	old := v.start()
	v.consent(old)
	v.expire(old)
	next := v.start() // as after a reload, on the same vault
	var all sync.WaitGroup
	for _, s := range []*Source{old, next, old, next} {
		all.Go(func() {
			if err := v.call(s); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestACrashLosesNoAccess has the process die at each point of a renewal. Only
// where the vendor takes each refresh token once and answers no second time is
// an answer that was lost with the process lost for good.
func TestACrashLosesNoAccess(t *testing.T) {
	t.Parallel()
	eachVendor(t, func(t *testing.T, name string) {
		for _, at := range points {
			for _, grace := range []time.Duration{0, time.Minute} {
				v := newVendor(t, name, grace)
				s := v.start()
				v.consent(s)
				v.expire(s)
				v.disk.die = at
				if err := v.call(s); (err != nil) != (at != nowhere) {
					t.Fatalf("%s: got %v", at, err)
				}
				err := v.call(v.start())
				if name != "airtable" || grace > 0 || at != unsaved {
					if err != nil {
						t.Errorf("after it died %s (grace %v): %v", at, grace, err)
					}
					continue
				}
				if kindOf(err) != connectors.Auth || !strings.Contains(err.Error(), "crmsyncd auth acme") {
					t.Errorf("after it died %s: got %v, want who mends it", at, err)
				}
				s = v.start()
				v.consent(s)
				if err := v.call(s); err != nil {
					t.Errorf("after the new consent: %v", err)
				}
			}
		}
	})
}

func TestALostAnswerIsAskedForAgain(t *testing.T) {
	t.Parallel()
	eachVendor(t, func(t *testing.T, name string) {
		v := newVendor(t, name, time.Minute)
		s := v.start()
		v.consent(s)
		v.expire(s)
		v.fault(`[{"path":"/token","lost_reply":true,"times":1}]`)
		if err := v.call(s); err != nil {
			t.Error(err)
		}
	})
}

// TestAnyOrderOfCrashesKeepsAccess needs a vendor that answers again.
func TestAnyOrderOfCrashesKeepsAccess(t *testing.T) {
	t.Parallel()
	eachVendor(t, func(t *testing.T, name string) {
		v := newVendor(t, name, time.Hour)
		first := v.start()
		v.consent(first)
		rapid.Check(t, func(rt *rapid.T) {
			s := v.start()
			for _, step := range rapid.SliceOfN(rapid.SampledFrom([]string{"expire", "outdate", "restart", "die"}), 1, 6).Draw(rt, "steps") {
				switch step {
				case "expire":
					v.expire(s)
				case "outdate":
					s = v.start() // one that has not just replaced a refused token
					v.outdate()
				case "restart":
					s = v.start()
				case "die":
					v.expire(s)
					v.disk.die = rapid.SampledFrom(points[1:]).Draw(rt, "at")
					if err := v.call(s); !errors.Is(err, errDied) {
						rt.Fatalf("got %v, want the crash", err)
					}
					s = v.start()
				}
				if err := v.call(s); err != nil {
					rt.Fatalf("after %s: %v", step, err)
				}
			}
		})
	})
}

func TestTheTokenBeforeIsTriedWhereTheNewestIsRefused(t *testing.T) {
	t.Parallel()
	v := newVendor(t, "airtable", 0)
	s := v.start()
	v.consent(s)
	tok, err := s.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tok.Previous, tok.Refresh, tok.Until = tok.Refresh, "one that the vendor forgot", time.Now().Add(-time.Second)
	if v.disk.value, err = s.seal(tok); err != nil {
		t.Fatal(err)
	}
	if err := v.call(s); err != nil {
		t.Error(err)
	}
}

func TestFailuresOfTheTokenAddress(t *testing.T) {
	t.Parallel()
	const path = `"path":"/token",`
	for _, c := range []struct {
		name, fault string
		kind        connectors.Kind
		hint        string
	}{
		{"a refused refresh token is a person's turn", `{` + path + `"status":400,"body":"invalid_grant"}`, connectors.Auth, "crmsyncd auth acme"},
		{"a refused client is a person's turn", `{` + path + `"status":401,"body":"invalid_client"}`, connectors.Auth, "client_secret"},
		{"an outage passes", `{` + path + `"status":503}`, connectors.Transient, "now"},
		{"a page of an edge is not the vendor's word", `{` + path + `"status":403,"body":"<html>hush-hush</html>"}`, connectors.Transient, "edge"},
		{"a limit passes", `{` + path + `"status":429,"retry_after":60}`, connectors.RateLimited, "fewer"},
		{"a lost answer passes", `{` + path + `"lost_reply":true}`, connectors.Transient, "cannot be renewed"},
		{"an odd answer passes", `{` + path + `"status":418,"body":{"hush-hush":1}}`, connectors.Auth, "crmsyncd auth acme"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			eachVendor(t, func(t *testing.T, name string) {
				v := newVendor(t, name, time.Minute)
				s := v.start()
				v.consent(s)
				v.expire(s)
				v.fault(c.fault)
				kept := v.disk.value
				err := v.call(s)
				e, ok := errors.AsType[*connectors.Error](err)
				if !ok || e.Kind != c.kind || !e.Account || !strings.Contains(err.Error(), c.hint) {
					t.Fatalf("got %v, want %v of the whole account with %q", err, c.kind, c.hint)
				}
				tok, _ := s.open(kept)
				for _, word := range []string{secret, tok.Access, tok.Refresh, "hush-hush"} {
					if strings.Contains(err.Error(), word) {
						t.Errorf("%v shows a secret", err)
					}
				}
				if string(v.disk.value) != string(kept) {
					t.Error("a failure changed what is kept")
				}
				v.fault(`[]`)
				if err := v.call(s); err != nil {
					t.Errorf("after it was mended: %v", err)
				}
			})
		})
	}
}

func TestAVendorThatRefusesEveryTokenIsNotAskedForMore(t *testing.T) {
	t.Parallel()
	v := newVendor(t, "hubspot", 0)
	s := v.start()
	v.consent(s)
	v.fault(`[{"path":"/crm/","status":401}]`)
	before := v.tokenRequests()
	for range 10 {
		if err := v.call(s); kindOf(err) != connectors.Auth || !strings.Contains(err.Error(), "crmsyncd auth acme") {
			t.Fatalf("got %v, want who mends it", err)
		}
	}
	if n := v.tokenRequests() - before; n != 1 {
		t.Errorf("%d renewals, want 1", n)
	}
}

func TestKeepUsesAccessThatRested(t *testing.T) {
	t.Parallel()
	v := newVendor(t, "pipedrive", 0)
	s := v.start()
	v.consent(s)
	before := v.tokenRequests()
	for _, want := range []int{0, 1} {
		if err := s.Keep(t.Context()); err != nil || v.tokenRequests()-before != want {
			t.Errorf("got %v after %d renewals, want %d", err, v.tokenRequests()-before, want)
		}
		v.expire(s)
	}
}

func TestTokensPrintAsNothing(t *testing.T) {
	t.Parallel()
	tok := token{Access: "hunter2", Refresh: "hunter2"}
	if text := fmt.Sprintf("%v %+v %#v %s", tok, tok, &tok, &tok); strings.Contains(text, "hunter2") {
		t.Error(text)
	}
}
