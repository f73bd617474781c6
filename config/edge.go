package config

import (
	"encoding/base64"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// LetsEncrypt is the directory that certificates come from where the settings
// name no other (letsencrypt.org/docs/acme-protocol-updates, read 2026-11).
const LetsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// Pair is a certificate in files.
type Pair struct {
	Cert string `yaml:"cert" doc:"file with the certificate and its chain, in PEM; read again when it changes"`
	Key  string `yaml:"key" doc:"file with the private key of the certificate, in PEM"`
}

// TLS says where the certificate of the public port comes from; its zero value
// is a port without TLS.
type TLS struct {
	Pair `yaml:",inline"`
	ACME *ACME `yaml:"acme" doc:"instead of files: certificates of a CA such as Let's Encrypt, asked for over ACME"`
}

// On reports whether the public port speaks TLS.
func (t TLS) On() bool { return t.Cert != "" || t.ACME != nil }

// ACME says which CA issues certificates, and for what.
type ACME struct {
	Domains   []string `yaml:"domains,required" doc:"names that senders call this machine, such as hooks.example.com"`
	Email     string   `yaml:"email" doc:"whom the CA may write to about the certificates"`
	Directory string   `yaml:"directory" doc:"where the CA takes orders; default: Let's Encrypt, whose terms you accept with acme:"`
	CA        string   `yaml:"ca" doc:"file with the root certificates of a CA of your own, in PEM, by which the directory is proved"`
	HTTP      string   `yaml:"http" doc:"address, such as :80, where the CA may look too; default: it looks at the public port alone, which it must reach as 443"`
	EAB       *EAB     `yaml:"eab" doc:"what a CA gave by which it knows whose account the daemon makes; Let's Encrypt gives none"`
}

// EAB binds the account that is made at a CA to a customer of it: External
// Account Binding of RFC 8555, 7.3.4.
type EAB struct {
	KID     string `yaml:"kid,required" doc:"id of the key, as the CA shows it"`
	HMACKey Secret `yaml:"hmac_key,required" doc:"the key, as the CA shows it: base64"`
}

// Key is the key's bytes.
func (e EAB) Key() ([]byte, error) {
	text := strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(strings.TrimSpace(e.HMACKey.Reveal()))
	key, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(key) == 0 {
		return nil, errors.New("it is no base64") // err may quote of it
	}
	return key, nil
}

// AdminAccess says who may ask the admin side over TCP. Without users only this
// machine may, and may do everything.
type AdminAccess struct {
	Pair  `yaml:",inline"`
	Users map[string]AdminUser `yaml:"users" doc:"who may ask, by name, with role and token; the audit trail has the name"`
}

// AdminUser is a person or program with a token.
type AdminUser struct {
	Role  Role   `yaml:"role,required" doc:"metrics, read or operate"`
	Token Secret `yaml:"token,required" doc:"secret of 20 characters or more; of the user cli: what the commands show on this machine"`
	// Missing says that, offline, a random key stands for the token.
	Missing bool `yaml:"-"`
}

// Role is what a user of the admin side may do: metrics sees how the daemon
// fares and nothing of people, read sees everything, operate may change it.
type Role string

var roles = []string{"metrics", "read", "operate"}

// UnmarshalNode implements diag.Unmarshaler.
func (r *Role) UnmarshalNode(n *diag.Node) diag.Problems { return oneOf(n, (*string)(r), roles) }

// shortestToken is what a token has at least: 20 characters of hex are 80 bits.
const shortestToken = 20

var domain = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$`)

// checkEdge reads paths and defaults into what the file says of TLS and the
// admin side, and finds what does not fit.
func (s *Settings) checkEdge(root *diag.Node, env Env) (ps diag.Problems) {
	tls, access := root.Get("tls"), root.Get("admin_access")
	ps = append(ps, s.TLS.check(tls, env)...)
	ps = append(ps, s.AdminAccess.check(access, env)...)
	if a := s.TLS.ACME; a != nil {
		ps = append(ps, a.check(tls.Get("acme"), env)...)
		if s.TLS.Cert != "" || s.TLS.Key != "" {
			ps = append(ps, tls.Get("acme").Problem("the certificate cannot come from files and from a CA as well", "remove cert and key, or acme"))
		}
	}
	if isAddress(s.Admin) && !isLoopback(s.Admin) && (s.AdminAccess.Cert == "" || len(s.AdminAccess.Users) == 0) {
		at := root.Get("admin")
		ps = append(ps, at.Problem("other machines can reach this address, and nothing proves who asks", "use 127.0.0.1 or unix:/path; or give admin_access: a cert, a key and users with tokens"))
	}
	return ps
}

func (p *Pair) check(n *diag.Node, env Env) (ps diag.Problems) {
	switch {
	case p.Cert != "" && p.Key == "":
		ps = append(ps, n.Get("cert").Problem("the key of this certificate is missing", "add key: with the file of the private key"))
	case p.Key != "" && p.Cert == "":
		ps = append(ps, n.Get("key").Problem("the certificate of this key is missing", "add cert: with the file of the certificate and its chain"))
	}
	p.Cert, p.Key = env.path(p.Cert), env.path(p.Key)
	return ps
}

func (a *ACME) check(n *diag.Node, env Env) (ps diag.Problems) {
	a.CA = env.path(a.CA)
	for i, d := range a.Domains {
		if a.Domains[i] = strings.ToLower(d); !domain.MatchString(a.Domains[i]) {
			ps = append(ps, n.Get("domains").Problem("wants full names of this machine, without https:// and without *", "write them like hooks.example.com"))
			break
		}
	}
	if len(a.Domains) == 0 && n.Get("domains") != nil && !n.Get("domains").Null {
		ps = append(ps, n.Get("domains").Problem("wants at least one name", "write it like hooks.example.com"))
	}
	if a.Directory == "" {
		a.Directory = LetsEncrypt
	} else if u, err := url.Parse(a.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
		ps = append(ps, n.Get("directory").Problem("wants the https address of a directory", "Let's Encrypt's is "+LetsEncrypt))
	}
	if a.HTTP != "" && !isAddress(a.HTTP) {
		ps = append(ps, n.Get("http").Problem("wants an address and a port", "write it like :80"))
	}
	if at := n.Get("eab").Get("hmac_key"); a.EAB != nil && at != nil && !within(at, env.broken) && !within(at, env.stood) {
		if _, err := a.EAB.Key(); err != nil {
			ps = append(ps, unshown(at, "the key is not what a CA gives: "+err.Error(), "copy it whole from the CA's page, beside the id"))
		}
	}
	return ps
}

func (a *AdminAccess) check(n *diag.Node, env Env) (ps diag.Problems) {
	ps = a.Pair.check(n, env)
	users := n.Get("users")
	if users == nil {
		return ps
	}
	owner := map[Secret]string{}
	for _, p := range users.Pairs {
		name, at := p.Key.Value, p.Value.Get("token")
		u, ok := a.Users[name]
		switch {
		case !blockName.MatchString(name):
			ps = append(ps, p.Key.Problem("this cannot be a name", "use 1 to 40 of a-z, 0-9, _ and -"))
		case !ok || at == nil || within(at, env.broken):
			continue
		case within(at, env.stood):
			u.Missing = true
			a.Users[name] = u
			continue
		case len(u.Token) < shortestToken:
			ps = append(ps, unshown(at, "the token can be guessed: it has fewer than 20 characters", "make one with: openssl rand -hex 20"))
		case owner[u.Token] != "":
			ps = append(ps, unshown(at, "the token is that of "+owner[u.Token]+" as well", "give each user a token of its own"))
		}
		owner[u.Token] = name
	}
	return ps
}

// unshown is a problem whose line is not shown, as it holds a secret.
func unshown(n *diag.Node, message, hint string) diag.Problem {
	p := n.Problem(message, hint)
	p.Line = ""
	return p
}

// Reach is where a command on this machine reaches an admin address that may
// stand for all of its addresses.
func Reach(admin string) string {
	host, port, err := net.SplitHostPort(admin)
	if err == nil && slices.Contains([]string{"", "0.0.0.0", "::"}, host) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return admin
}

// inTheClear warns of addresses to which tokens and customers' data would go for
// everyone on the way to read. A host without a domain, or with a private
// address, is near, as a sandbox is.
func inTheClear(of ...[]Block) (ps diag.Problems) {
	for _, b := range slices.Concat(of...) {
		n := b.Node.Get("base_url")
		if n == nil {
			continue
		}
		u, err := url.Parse(n.Value)
		if err != nil || u.Scheme != "http" || !strings.Contains(u.Hostname(), ".") {
			continue
		}
		if ip, err := netip.ParseAddr(u.Hostname()); err == nil && (ip.IsPrivate() || ip.IsLoopback()) {
			continue
		}
		p := n.Problem("what is sent there can be read on its way, the token as well", "write it with https://")
		p.Severity = diag.Warning
		ps = append(ps, p)
	}
	return ps
}
