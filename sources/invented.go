package sources

import (
	"fmt"
	"strings"
)

// Invented is somebody made up for a Sampler's payloads. The same number is
// the same person at every vendor.
type Invented struct {
	First, Last, Company string
	Email                string // example.com
	Number               string // E.164
}

// OurNumber is the number of the invented company that people call.
const OurNumber = "+493023125900"

var (
	firstNames = []string{"Erika", "Max", "Anna", "Jonas", "Lena", "Paul", "Mia", "Felix", "Clara", "Emil"}
	lastNames  = []string{"Mustermann", "Beispiel", "Muster", "Probe", "Vorlage", "Exempel", "Testmann"}
	companies  = []string{"Beispiel Solar GmbH", "Muster Energie AG", "Probe & Partner"}
)

// Invent makes person n, 0 and up. The numbers are kept for fiction: the first
// thousand in Berlin (Bundesnetzagentur, 030 23125-000 to -999), then those of
// the American 555-01xx.
func Invent(n int) Invented {
	p := Invented{First: firstNames[n%len(firstNames)], Last: lastNames[n/len(firstNames)%len(lastNames)], Company: companies[n%len(companies)]}
	p.Email = fmt.Sprintf("%s.%s.%d@example.com", strings.ToLower(p.First), strings.ToLower(p.Last), n)
	p.Number = fmt.Sprintf("+493023125%03d", n%1000)
	if n >= 1000 {
		p.Number = fmt.Sprintf("+1%03d55501%02d", 201+n/100%780, n%100)
	}
	return p
}
