package httpx

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func dated(host string, date time.Time) *http.Response {
	return &http.Response{Header: http.Header{"Date": {date.UTC().Format(http.TimeFormat)}}, Request: &http.Request{URL: &url.URL{Host: host}}}
}

// TestClockBesideVendors/what the Date of answers says of our own clock.
func TestClockBesideVendors(t *testing.T) {
	t.Parallel()
	within := func(t *testing.T, c *clock, want time.Duration) {
		t.Helper()
		if got, _ := c.Ahead(); (got - want).Abs() > time.Second {
			t.Errorf("ahead by %v, want %v", got, want)
		}
	}
	tell := func(c *clock, host string, off time.Duration) {
		c.observe(dated(host, time.Now().Add(-off)), time.Now(), time.Now())
	}
	for _, story := range []struct {
		name string
		tell func(t *testing.T, c *clock)
	}{
		{"nobody heard is nothing known", func(t *testing.T, c *clock) {
			if _, known := c.Ahead(); known {
				t.Error("known, without an answer")
			}
		}},
		{"a clock that is right is right, whatever part of a second it is", func(t *testing.T, c *clock) {
			for range 10 {
				time.Sleep(130 * time.Millisecond)
				tell(c, "a", 0)
				if got, known := c.Ahead(); got != 0 || !known {
					t.Errorf("ahead by %v", got)
				}
			}
		}},
		{"a clock that is wrong is known by what all vendors say", func(t *testing.T, c *clock) {
			tell(c, "a", time.Hour)
			within(t, c, time.Hour)
			tell(c, "b", 10*time.Minute)
			within(t, c, 10*time.Minute)
			tell(c, "c", 0)
			within(t, c, 0)
		}},
		{"one that is behind, too", func(t *testing.T, c *clock) {
			tell(c, "a", -time.Hour)
			within(t, c, -time.Hour)
			if got := time.Until(c.Now()); (got - time.Hour).Abs() > time.Second {
				t.Errorf("the vendors' time is ours and %v, want an hour", got)
			}
		}},
		{"what was said an hour ago counts no more", func(t *testing.T, c *clock) {
			tell(c, "a", time.Hour)
			time.Sleep(clockTrust + time.Second)
			if got, known := c.Ahead(); known {
				t.Errorf("ahead by %v", got)
			}
		}},
		{"a cached answer says nothing", func(t *testing.T, c *clock) {
			r := dated("a", time.Now().Add(-time.Hour))
			r.Header.Set("Age", "3600")
			c.observe(r, time.Now(), time.Now())
			if _, known := c.Ahead(); known {
				t.Error("known, by a cache")
			}
		}},
		{"no wait is longer than asked for, although the time since which lies ahead", func(t *testing.T, c *clock) {
			if got := c.Until(time.Now().AddDate(3, 0, 0), time.Minute); got != time.Minute {
				t.Errorf("a wait of %v, want a minute", got)
			}
			if got := c.Until(time.Now().Add(-time.Hour), time.Minute); got > 0 {
				t.Errorf("a wait of %v, want none", got)
			}
		}},
	} {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { story.tell(t, &clock{}) })
		})
	}
}

type sender func(*http.Request) (*http.Response, error)

func (s sender) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }

// TestWhoeverIsOnTheWay/a proxy's or a firewall's refusal is not the vendor's.
func TestWhoeverIsOnTheWay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		body   string
		json   bool
		answer bool // is passed on
	}{
		{"a proxy that wants a password", 407, "", false, false},
		{"a page of HTML that refuses", 400, " <html>", true, false},
		{"the same of somebody who may answer in HTML", 400, "<html>", false, true},
		{"a refusal in JSON", 400, "{}", true, true},
		{"access refused in HTML", 403, "<html>", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sent := 0
			client, err := New(Options{BaseURL: "http://crm.invalid", OnlyJSON: c.json, Transport: sender(func(r *http.Request) (*http.Response, error) {
				sent++
				return &http.Response{StatusCode: c.status, Body: io.NopCloser(strings.NewReader(c.body)), Request: r, Header: http.Header{}}, nil
			})})
			if err != nil {
				t.Fatal(err)
			}
			a, err := client.Do(t.Context(), Request{Method: http.MethodPost, Path: "/x", Body: 1, Repeatable: true})
			if (err == nil) != c.answer || a != nil && a.Status != c.status || sent != 1 {
				t.Errorf("answer %+v, %v after %d requests", a, err, sent)
			}
		})
	}
}
