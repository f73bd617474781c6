package mapping

import (
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/sources"
)

func TestPhonesAreReadInEverySpelling(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"030 23125017": "+493023125017", "(030) 2312-5017": "+493023125017", "030/23125017": "+493023125017", "030.2312.5017": "+493023125017", "0049 30 23125017": "+493023125017", "+49 (0)30 23125017": "+493023125017",
		"+49 30 23125017": "+493023125017", "tel:+49-30-23125017": "+493023125017", "\u202a+49\u00a030\u00a023125017\u202c": "+493023125017", "０３０２３１２５０１７": "+493023125017", "+49 30 23125017 ext. 12": "+493023125017",
		"030 23125017 x12": "+493023125017", "0151 12345678": "+4915112345678", "+31 20 123 4567": "+31201234567", "+1 (415) 555-2671": "+14155552671",
		"anonymous": "", "Anonym": "", "unknown": "", "private": "", "withheld": "", "unterdrückt": "", "0": "", "00": "", "000000": "", "+": "", "-": "", "": "", "+266696687": "", "266696687": "",
		"0266696687": "", "+49266696687": "", "+7378742833": "", "+86282452253": "", "1111111111": "", "+490000000000": "", "sip:anonymous@anonymous.invalid": "", "anna@example.com": "", "12": "", "2026-11-20T09:30:00Z": "",
	} {
		got, _ := phone(in, "DE").(string)
		if got != want {
			t.Errorf("phone(%q) gives %q, want %q", in, got, want)
		}
		n, ok := connectors.ParsePhone(in, "DE")
		if ok != (want != "") || n.E164 != want {
			t.Errorf("a connector reads %q as %q (%v), want %q", in, n.E164, ok, want)
		}
		// A source may know more or less of what is none; what both take must
		// be the same number.
		if told := sources.Phone(in, "DE"); told != "" && want != "" && told != want {
			t.Errorf("a source reads %q as %q, want %q", in, told, want)
		}
	}
}
