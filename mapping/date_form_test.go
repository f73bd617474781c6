package mapping

import (
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

func TestADateFormIsOnlyDoubtedWhereItIsReadOtherwise(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ form, meant, wrong string }{
		{"DD.MM.YYYY HH:mm", "DD.MM.YYYY HH:mm", ""},
		{"YYYY-MM-DDTHH:mm:ss", "YYYY-MM-DDTHH:mm:ss", ""},
		{"DD. MMMM YYYY um HH:mm Uhr", "DD. MMMM YYYY um HH:mm Uhr", ""},
		{"HH:mm h", "HH:mm h", ""},
		{"mm:ss", "mm:ss", ""},
		{"hh:mm A", "hh:mm A", ""},
		{"YYYYMMDDHHmm", "YYYYMMDDHHmm", ""},
		{"", "", ""},
		{"dd.mm.yyyy", "DD.MM.YYYY", "dd"},
		{"yyyy-mm-dd", "YYYY-MM-DD", "yyyy"},
		{"TT.MM.JJJJ HH:mm", "DD.MM.YYYY HH:mm", "TT"},
		{"DD.mm.YYYY", "DD.MM.YYYY", ""},
		{"DD.MM. HH:MM", "DD.MM. HH:mm", ""},
		{"H:mm", "HH:mm", "H"},
		{"hh:mm a", "hh:mm A", "a"},
	} {
		if meant, wrong := meantForm(c.form); meant != c.meant || wrong != c.wrong {
			t.Errorf("%q: got %q, %q; want %q, %q", c.form, meant, wrong, c.meant, c.wrong)
		}
	}
}

func TestAWordInADateFormIsDoubtedWhereALetterOfItIsAPart(t *testing.T) {
	t.Parallel()
	for form, want := range map[string]string{
		"Anruf am DD.MM.YYYY": "Anruf", "DD.MM.YYYY (Datum)": "Datum", "CALL DD.MM.": "CALL",
		"DD. MMMM YYYY um HH:mm Uhr": "", "YYYY-MM-DDTHH:mm:ssZ": "", "HHhmm": "", "hh:mm A": "", "DDth MMM": "", "vom D.M.": "", "Öffnung DD": "", "D/M/YY, HH:mm": "",
	} {
		if got := brokenWord(form); got != want {
			t.Errorf("%q: got %q, want %q", form, got, want)
		}
	}
	zoned := design
	zoned.Zone = time.UTC
	_, ps := Read([]File{{"mapping.yaml", []byte(records("      - {object: o, match: id, fields: {id: =call.id, x: '=date(call.started_at, \"Anruf am DD.MM.YYYY\")'}}\n"))}}, zoned)
	if len(ps) != 1 || ps[0].Severity != diag.Warning || !strings.Contains(ps[0].Message, "the word Anruf") {
		t.Errorf("got %v", ps)
	}
}
