package salesforce

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

const (
	day = 24 * time.Hour
	// paced is how far before the reserve, in percent of the day's calls, the
	// pace slows down to what the org allows on average.
	paced = 10
	// slowestPace bounds the wait for one request's turn.
	slowestPace = 10 * time.Second
	// probing is how often one request is let through once only the reserve is
	// left: the calls of the last 24 hours count, so they come back bit by bit.
	probing = 15 * time.Minute
)

// usage is how much of the org's calls in 24 hours all its programs have used,
// as Salesforce says with every answer.
type usage struct {
	reserve int // percent that others keep
	mu      sync.Mutex
	used    int
	most    int       // 0: not known yet
	next    time.Time // when the next request may be sent, near the end
	probe   time.Time // when one may be sent although only the reserve is left
}

func newUsage(reserve int) *usage {
	if reserve == 0 {
		reserve = 10
	}
	return &usage{reserve: reserve}
}

// learn reads "api-usage=18/5000"; more may stand behind a semicolon.
func (u *usage) learn(text string, now time.Time) {
	for part := range strings.SplitSeq(text, ";") {
		numbers, ok := strings.CutPrefix(strings.TrimSpace(part), "api-usage=")
		if !ok {
			continue
		}
		first, second, _ := strings.Cut(numbers, "/")
		used, err := strconv.Atoi(first)
		most, bad := strconv.Atoi(second)
		if err != nil || bad != nil || most <= 0 {
			continue
		}
		u.mu.Lock()
		if u.used, u.most = used, most; !u.over() {
			u.probe = time.Time{}
		} else if u.probe.IsZero() {
			u.probe = now.Add(probing)
		}
		u.mu.Unlock()
	}
}

// over tells whether only the reserve is left.
func (u *usage) over() bool { return u.most > 0 && u.used >= u.most-u.most*u.reserve/100 }

// wait returns when a request may be sent, or with an error if it may not.
func (u *usage) wait(ctx context.Context) *connectors.Error {
	pause, err := u.turn(time.Now())
	if err != nil || pause <= 0 {
		return err
	}
	return sleep(ctx, pause)
}

func (u *usage) turn(now time.Time) (time.Duration, *connectors.Error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.most == 0 || u.used < u.most-u.most*(u.reserve+paced)/100:
		return 0, nil
	case u.over():
		if left := u.probe.Sub(now); left > 0 {
			return 0, &connectors.Error{Kind: connectors.RateLimited, Account: true, Park: true, Code: "RESERVE", Wait: left,
				Message: "of the org's API calls in 24 hours only the part is left that others keep (reserve)"}
		}
		u.probe = now.Add(probing)
		return 0, nil
	}
	step := min(day/time.Duration(u.most), slowestPace)
	at := u.next
	if at.Before(now) {
		at = now
	}
	u.next = at.Add(step)
	return at.Sub(now), nil
}

func sleep(ctx context.Context, d time.Duration) *connectors.Error {
	switch {
	case httpx.Pause(ctx, d):
		return nil
	case ctx.Err() != nil:
		return connectors.AsError(ctx.Err())
	}
	return &connectors.Error{Kind: connectors.Transient, Message: "not sent, as crmsyncd stops"}
}
