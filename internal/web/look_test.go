package web_test

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
)

var colour = regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{3,6});`)

// TestEveryTextCanBeRead holds the colours of both schemes to WCAG 2.2, AA: a
// contrast of 4.5 of text to what is behind it.
func TestEveryTextCanBeRead(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("assets/page.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, ok := strings.Cut(string(text), "prefers-color-scheme: dark")
	if !ok {
		t.Fatal("there is no dark scheme")
	}
	for name, css := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]float64{}
		for _, m := range colour.FindAllStringSubmatch(css, -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		for _, pair := range [][2]string{
			{"text", "back"}, {"text", "card"}, {"dim", "back"}, {"dim", "card"}, {"link", "back"}, {"link", "card"}, {"card", "link"}, {"text", "plain-back"},
			{"good", "good-back"}, {"doubt", "doubt-back"}, {"bad", "bad-back"}, {"bad", "card"}, {"bad", "back"}, {"doubt", "card"}, {"focus", "back"},
		} {
			a, okA := colours[pair[0]]
			b, okB := colours[pair[1]]
			if contrast := (max(a, b) + .05) / (min(a, b) + .05); !okA || !okB || contrast < 4.5 {
				t.Errorf("%s: %s on %s has a contrast of %.2f, want 4.5", name, pair[0], pair[1], contrast)
			}
		}
	}
}

// luminance of a colour in hex, as WCAG reckons it.
func luminance(t *testing.T, hex string) float64 {
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	var rgb [3]uint8
	if _, err := fmt.Sscanf(hex, "%02x%02x%02x", &rgb[0], &rgb[1], &rgb[2]); err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for i, weight := range []float64{.2126, .7152, .0722} {
		c := float64(rgb[i]) / 255
		if c <= .04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
