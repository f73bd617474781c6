package mapping

import "testing"

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
