package mapping

import (
	"strings"
	"testing"
	"time"
)

func TestPlainLeavesOutScripts(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a<script>b < c</SCRIPT>d": "ad",
		// Letters that take more or less room as small ones.
		"a<script>" + strings.Repeat("Ⱥ", 20) + "</script":        "a",
		"a<script>" + strings.Repeat("İ", 20) + "</Script>d":      "ad",
		"a<STYLE>" + strings.Repeat("\u212a", 20) + "</style>d":   "ad",
		"a<script>never ends <b>":                                 "a",
		"a<script>" + strings.Repeat("</scrip", 3) + "</script>d": "ad",
	} {
		if got := plainText(in); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}

func TestPlainTakesNoLongerForManyStyles(t *testing.T) {
	began := computed(t) // not parallel: what others compute would count
	if got := plainText(strings.Repeat("<STYLE></style>", MaxText/15)); got != "" {
		t.Errorf("there are %d characters left", len(got))
	}
	if took := computed(t) - began; took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}
