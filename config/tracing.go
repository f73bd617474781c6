package config

import (
	"net"
	"net/url"
	"regexp"
	"strings"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// Tracing says where spans are sent.
type Tracing struct {
	Endpoint string            `yaml:"endpoint,required" doc:"address of a collector that takes OTLP over HTTP, such as https://otlp.example.com; without a path /v1/traces is added; http only on this machine"`
	Headers  map[string]Secret `yaml:"headers" doc:"headers by which the collector knows who sends, such as Authorization"`
	Sample   float64           `yaml:"sample" doc:"part of the traces that is recorded, 0 to 1; default 1"`
	// Node is where the block stands; nil where there is none.
	Node *diag.Node `yaml:"-"`
}

var headerName = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+.^_|~-]{1,100}$`)

func (t *Tracing) check(n *diag.Node, env Env) (ps diag.Problems) {
	if n == nil || n.Null {
		return nil
	}
	t.Node = n
	if at := n.Get("endpoint"); at != nil && !within(at, env.broken) && !within(at, env.stood) {
		u, err := url.Parse(t.Endpoint)
		switch {
		case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
			ps = append(ps, unshown(at, "wants the https address of a collector", "write it like https://otlp.example.com; what proves who sends belongs to headers"))
		case u.Scheme == "http" && !isLoopback(net.JoinHostPort(u.Hostname(), "0")):
			ps = append(ps, at.Problem("over http anybody on the way can read the traces and the headers", "use https, or a collector on this machine"))
		}
	}
	if at := n.Get("sample"); at != nil && !(t.Sample >= 0 && t.Sample <= 1) {
		ps = append(ps, at.Problem("wants a number from 0 to 1", "0.1 records every tenth trace"))
	}
	if headers := n.Get("headers"); headers != nil {
		for _, p := range headers.Pairs {
			switch value := t.Headers[p.Key.Value].Reveal(); {
			case !headerName.MatchString(p.Key.Value):
				ps = append(ps, unshown(p.Key, "this cannot be the name of a header", "write it like Authorization"))
			case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r >= 0x7f }):
				ps = append(ps, unshown(p.Value, "a header holds only letters, digits and signs of ASCII, on one line", ""))
			}
		}
	}
	return ps
}
