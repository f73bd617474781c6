package connectors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestChunksApartKeepsTwinsApartAndLosesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOf(rapid.IntRange(0, 12)).Draw(t, "list")
		size := rapid.IntRange(1, 5).Draw(t, "size")
		key := func(i int) string {
			if i == 0 {
				return ""
			}
			return fmt.Sprint(i)
		}
		n := 0
		for _, part := range ChunksApart(list, size, key) {
			n += len(part)
			if len(part) > size {
				t.Fatalf("part %v is larger than %d", part, size)
			}
			for i, a := range part {
				if a != 0 && slices.Contains(part[i+1:], a) {
					t.Fatalf("part %v has a twin", part)
				}
			}
		}
		if n != len(list) {
			t.Fatalf("%d of %d items left", n, len(list))
		}
	})
}

func TestIsolate(t *testing.T) {
	t.Parallel()
	run := func(bad map[int]*Error) (sent []int, refused map[int]Kind, requests int) {
		refused = map[int]Kind{}
		list := make([]int, 100)
		for i := range list {
			list[i] = i
		}
		Isolate(context.Background(), list, func(_ context.Context, part []int) *Error {
			requests++
			for _, i := range part {
				if bad[i] != nil {
					return bad[i]
				}
			}
			sent = append(sent, part...)
			return nil
		}, func(i int, err *Error) { refused[i] = err.Kind })
		return sent, refused, requests
	}
	t.Run("one bad item keeps nobody out", func(t *testing.T) {
		t.Parallel()
		sent, refused, requests := run(map[int]*Error{37: {Kind: Invalid}})
		if len(sent) != 99 || !cmp.Equal(refused, map[int]Kind{37: Invalid}) || requests > 16 {
			t.Errorf("%d sent, refused %v, %d requests; want 99, item 37, at most 16", len(sent), refused, requests)
		}
	})
	t.Run("an outage is not taken apart", func(t *testing.T) {
		t.Parallel()
		sent, refused, requests := run(map[int]*Error{37: {Kind: Unknown}})
		if len(sent) != 0 || len(refused) != 100 || requests != 1 {
			t.Errorf("%d sent, %d refused, %d requests; want 0, 100, 1", len(sent), len(refused), requests)
		}
	})
	t.Run("requests are bounded and every item has an answer", func(t *testing.T) {
		t.Parallel()
		bad := map[int]*Error{}
		for i := range 100 {
			bad[i] = &Error{Kind: Invalid}
		}
		sent, refused, requests := run(bad)
		if len(sent) != 0 || len(refused) != 100 || requests > 2*isolateBudget {
			t.Errorf("%d sent, %d refused, %d requests", len(sent), len(refused), requests)
		}
	})
}

func TestWavesAndStrandsKeepTheOrderOfALane(t *testing.T) {
	t.Parallel()
	type item struct {
		N     int
		Lane  string
		Class string
	}
	rapid.Check(t, func(t *rapid.T) {
		var list []item
		for n := range rapid.IntRange(0, 40).Draw(t, "n") {
			list = append(list, item{n, rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "lane"), rapid.SampledFrom([]string{"x", "y"}).Draw(t, "class")})
		}
		lane := func(i item) string { return i.Lane }
		done := map[string]int{}
		total := 0
		for _, wave := range Waves(list, lane, func(i item) string { return i.Class }) {
			classes := map[string][]item{}
			for _, i := range wave {
				classes[i.Class] = append(classes[i.Class], i)
			}
			inWave := map[string]string{}
			for class, items := range classes {
				ran := map[string]bool{}
				for _, strand := range Strands(Chunks(items, 3), lane) {
					mine := map[string]bool{}
					for _, part := range strand {
						for _, i := range part {
							total++
							if i.Lane == "" {
								continue
							}
							if i.N+1 <= done[i.Lane] || ran[i.Lane] || inWave[i.Lane] != "" && inWave[i.Lane] != class {
								t.Fatalf("item %+v came out of order", i)
							}
							done[i.Lane], mine[i.Lane], inWave[i.Lane] = i.N+1, true, class
						}
					}
					for l := range mine {
						ran[l] = true
					}
				}
			}
		}
		if total != len(list) {
			t.Fatalf("%d of %d items left", total, len(list))
		}
	})
}

func TestCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := Cache[int]{Keep: time.Minute}
		var reads atomic.Int64
		read := func(context.Context) (int, error) {
			time.Sleep(time.Second)
			if reads.Add(1) == 1 {
				return 0, errors.New("down")
			}
			return 7, nil
		}
		if _, err := c.Get(t.Context(), "x", read); err == nil {
			t.Error("the first reading's error was lost")
		}
		for range 10 {
			go func() {
				if v, err := c.Get(t.Context(), "x", read); v != 7 || err != nil {
					t.Errorf("got %v %v, want 7", v, err)
				}
			}()
		}
		time.Sleep(2 * time.Second)
		if reads.Load() != 2 {
			t.Errorf("%d readings, want 2", reads.Load())
		}
		time.Sleep(2 * time.Minute)
		if c.Get(t.Context(), "x", read); reads.Load() != 3 {
			t.Errorf("%d readings after the time is over, want 3", reads.Load())
		}
	})
}
