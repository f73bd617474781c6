package cases

import "encoding/xml"

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	File    string        `xml:"file,attr"`
	Line    int           `xml:"line,attr"`
	Failure *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",cdata"`
}

// JUnit reports outcomes in the form that CI servers read.
func JUnit(outcomes []Outcome) []byte {
	all := junitSuites{Tests: len(outcomes)}
	for _, o := range outcomes {
		n := len(all.Suites)
		if n == 0 || all.Suites[n-1].Name != o.Case.file.Name {
			all.Suites = append(all.Suites, junitSuite{Name: o.Case.file.Name})
			n++
		}
		suite := &all.Suites[n-1]
		suite.Tests++
		c := junitCase{Name: o.Case.Name, Class: o.Case.file.Name, File: o.Case.file.Name, Line: o.Case.Pos.Line}
		if !o.Passed() {
			suite.Failures++
			all.Failures++
			c.Failure = &junitFailure{Message: o.summary(), Text: o.Text()}
		}
		suite.Cases = append(suite.Cases, c)
	}
	out, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		panic(err) // plain texts and numbers
	}
	return append([]byte(xml.Header), append(out, '\n')...)
}
