package webhook

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
)

// number is a number, also from text that holds one.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case event.Seconds:
		return number(float64(v))
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	return 0, false
}

// longestCall is more than any call lasts; what is longer is in another unit.
const longestCall = 10 * 24 * 3600

// seconds is a length of time: seconds, or text such as 1:30, 01:02:03, 1m30s or
// PT1M30S.
func seconds(v any) (event.Seconds, bool) {
	f, ok := number(v)
	if t, isText := v.(string); isText && !ok {
		f, ok = length(strings.TrimSpace(t))
	}
	return event.Seconds(f), ok && f >= 0 && f <= longestCall
}

func length(t string) (float64, bool) {
	if f, ok := isoLength(t); ok {
		return f, true
	}
	if d, err := time.ParseDuration(t); err == nil {
		return d.Seconds(), true
	}
	return clock(t)
}

// isoForm is a length of ISO 8601 in days, hours, minutes and seconds; months
// and years have no length of their own.
var isoForm = regexp.MustCompile(`^P(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:[.,]\d{1,9})?)S)?)?$`)

func isoLength(t string) (total float64, ok bool) {
	m := isoForm.FindStringSubmatch(t)
	if m == nil || strings.HasSuffix(t, "P") || strings.HasSuffix(t, "T") {
		return 0, false
	}
	for i, unit := range []float64{24 * 3600, 3600, 60, 1} {
		if n, err := strconv.ParseFloat(strings.ReplaceAll(m[i+1], ",", "."), 64); err == nil {
			total += n * unit
		}
	}
	return total, true
}

func clock(t string) (total float64, ok bool) {
	parts := strings.Split(strings.TrimSpace(t), ":")
	if len(parts) != 2 && len(parts) != 3 {
		return 0, false
	}
	for _, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return 0, false
		}
		total = total*60 + float64(n)
	}
	return total, true
}

// time is a time in one of the forms that vendors use. 0 is how many write
// that it has not happened.
func (s *Source) time(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v.UTC(), true
	case int:
		t, ok := sources.ParseTime(strconv.Itoa(v))
		return t, ok && v != 0
	case float64:
		t, ok := sources.ParseTime(strconv.FormatFloat(v, 'f', -1, 64))
		return t, ok && v != 0
	case string:
		v = strings.TrimSpace(v)
		for _, layout := range []string{time.RFC1123Z, time.RFC1123, "Mon, 2 Jan 2006 15:04:05 -0700"} {
			if t, err := time.Parse(layout, v); err == nil {
				return t.UTC(), true
			}
		}
		t, ok := sources.ParseLocal(v, s.zone)
		return t, ok && v != "0"
	}
	return time.Time{}, false
}
