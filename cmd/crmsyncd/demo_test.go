package main

import (
	"testing"
	"time"
)

func TestARetryInTheDemoTellsOfTheSameTime(t *testing.T) {
	t.Parallel()
	hour := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	for s := range 20 {
		began := hour.Add(time.Duration(s)*time.Second + time.Millisecond)
		first := map[string]time.Time{}
		last := time.Time{}
		for i, scene := range story {
			at := happened(i, began)
			if was, again := first[scene.id]; again {
				if !at.Equal(was) {
					t.Errorf("begun at %v: %s was at %v, then at %v", began, scene.title, was, at)
				}
				continue
			}
			if !at.After(last) || !at.Before(began) {
				t.Errorf("begun at %v: %s was at %v, after what was at %v", began, scene.title, at, last)
			}
			first[scene.id], last = at, at
		}
	}
}
