// Command hammer posts signed webhooks of telli at a steady rate, each over a
// connection of its own, some hundred at once at most, and fails unless every
// one is answered 200. It stands for a vendor while the daemon is restarted, so
// it does not try again.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// call is a finished call of one contact; %[1]d tells it from others.
const call = `{"event":"call_ended","call":{"call_id":"hammer-%[1]d","attempt":1,"call_status":"COMPLETED","contact_id":"person-%[1]d",` +
	`"direction":"outbound","call_length_min":1,"started_at":1772616612264,"ended_at":1772616672264,"from_number":"+493023125900","to_number":"+4930231%05[1]d",` +
	`"triggered_at":1772616604302},"contact":{"contact_id":"person-%[1]d","first_name":"Person","last_name":"Number%[1]d","phone_number":"+4930231%05[1]d",` +
	`"email":"person%[1]d@example.com","status":"reached","call_attempts":1,"created_at":"2026-03-02T08:15:00.000Z"}}`

// atOnce is how many connections are open at most: fewer than a daemon takes from
// one address, however long they wait for it.
const atOnce = 256

type tally struct {
	mu      sync.Mutex
	ok      int
	refused int
	failed  map[string]int
	slowest time.Duration
}

func main() {
	url := flag.String("url", "http://127.0.0.1:8787/hooks/telli", "where to post")
	secret := flag.String("secret", os.Getenv("TELLI_SIGNING_SECRET"), "signing secret")
	rate := flag.Int("rate", 200, "webhooks a second")
	n := flag.Int("n", 200, "webhooks in all")
	from := flag.Int("from", 1, "number of the first")
	slow := flag.Duration("slow", 0, "pause in the middle of each body")
	flag.Parse()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(*secret, "whsec_"))
	if err != nil || *rate < 1 || *n > 20000 {
		fmt.Fprintln(os.Stderr, "hammer: wants a secret, a rate and at most 20000 webhooks")
		os.Exit(2)
	}
	client := &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	t := &tally{failed: map[string]int{}}
	var wg sync.WaitGroup
	tick := time.NewTicker(time.Second / time.Duration(*rate))
	room := make(chan struct{}, atOnce)
	for i := range *n {
		<-tick.C
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			began := time.Now()
			t.add(post(client, *url, key, *from+i, *slow), time.Since(began))
		})
	}
	wg.Wait()
	fmt.Printf("sent %d, answered 200: %d, refused: %d, failed otherwise: %v, slowest %s\n", *n, t.ok, t.refused, t.failed, t.slowest.Round(time.Millisecond))
	if t.ok != *n {
		os.Exit(1)
	}
}

func post(client *http.Client, url string, key []byte, i int, slow time.Duration) error {
	body := fmt.Appendf(nil, call, i)
	id, at := fmt.Sprintf("msg_hammer_%d", i), strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	half := len(body) / 2
	req, err := http.NewRequest(http.MethodPost, url, io.MultiReader(bytes.NewReader(body[:half]), &pause{slow}, bytes.NewReader(body[half:])))
	if err != nil {
		return err
	}
	req.ContentLength = int64(len(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Svix-Id", id)
	req.Header.Set("Svix-Timestamp", at)
	req.Header.Set("Svix-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// pause is a reader that has nothing to say, late.
type pause struct{ d time.Duration }

func (p *pause) Read([]byte) (int, error) { time.Sleep(p.d); return 0, io.EOF }

func (t *tally) add(err error, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.slowest = max(t.slowest, took)
	switch {
	case err == nil:
		t.ok++
	case errors.Is(err, syscall.ECONNREFUSED):
		t.refused++
	default:
		t.failed[err.Error()[max(0, len(err.Error())-60):]]++
	}
}
