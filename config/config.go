// Package config reads config.yaml, the face that administrators see: strictly,
// with every problem at once and its place, and with secrets taken from the
// environment, files and systemd credentials. What a vendor's block may hold
// is the vendor's business: blocks are handed on undecoded. Nothing is opened
// or listened to here.
package config

import (
	"cmp"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// Settings is everything in config.yaml, defaults filled in. Paths are
// relative to the folder of the file where the file has them relative, and are
// joined with it here.
type Settings struct {
	File string // as it was named
	Dir  string // its folder

	Listen         string   // host:port for webhooks
	PublicURL      *url.URL // how senders reach it; nil: as their requests say
	Admin          string   // host:port or unix:/path; off the loopback only with AdminAccess
	DataDir        string   // folder of the ledger
	Mapping        string   // file or folder
	Sources        []Block  // in the file's order
	Connectors     []Block  // in the file's order
	Defaults       Defaults //
	Delivery       Delivery
	Retention      Retention
	Privacy        Privacy
	Reconcile      Reconcile
	Limits         Limits
	Log            Log
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	TLS            TLS            // of Listen
	AdminAccess    AdminAccess    // of Admin, where that is no socket file
	Tracing        Tracing        // where spans go; a zero Endpoint: nowhere
}

// Defaults serve values that leave them out.
type Defaults struct {
	Country  string         `yaml:"country" doc:"country of telephone numbers without country code, such as DE; its people write 1,234 or 1.234 € for what they mean"`
	Timezone Timezone       `yaml:"timezone" doc:"time zone of times without one, such as Europe/Berlin; default UTC"`
	Zone     *time.Location `yaml:"-"` // of Timezone, never nil
}

// Delivery says how long and how often a delivery is tried.
type Delivery struct {
	MaxAge      time.Duration `yaml:"max_age" doc:"a delivery that failed for this long is dead; default 7d"`
	MaxAttempts int           `yaml:"max_attempts" doc:"a delivery is dead after this many attempts; default 0: only max_age counts"`
	BackoffMin  time.Duration `yaml:"backoff_min" doc:"wait after the first failed attempt; it doubles from then on; default 5s"`
	BackoffMax  time.Duration `yaml:"backoff_max" doc:"longest wait between attempts; default 1h"`
	Drain       time.Duration `yaml:"drain" doc:"time that work under way gets when the daemon stops; default 25s"`
}

// Retention says how long the ledger keeps what, counted from the last change;
// 0 is for ever.
type Retention struct {
	Done        time.Duration `yaml:"done" doc:"events all of whose deliveries are done; default 90d"`
	Unmatched   time.Duration `yaml:"unmatched" doc:"events that no rule wanted; default 30d"`
	Discarded   time.Duration `yaml:"discarded" doc:"events that a person set aside; default 30d"`
	Dead        time.Duration `yaml:"dead" doc:"events with a delivery that needs a person; default 0: for ever"`
	Quarantined time.Duration `yaml:"quarantined" doc:"events that could not be understood; default 90d"`
	Payloads    time.Duration `yaml:"payloads" doc:"the payloads, transcripts among them, of events that are done; default 0: as long as the event"`
	Identity    time.Duration `yaml:"identity" doc:"hashes by which the same occurrence is known again when it is sent or backfilled once more; at least 30d; default 400d"`
}

// Limits bound what the public port takes.
type Limits struct {
	Body        Bytes         `yaml:"body" doc:"largest body of a webhook; transcripts have several MB; default 8MiB"`
	InFlight    int           `yaml:"in_flight" doc:"webhooks being stored at one time, beyond which senders are asked to come back; default 512"`
	Buffered    Bytes         `yaml:"buffered" doc:"memory for bodies being received, all together; default 256MiB"`
	Connections int           `yaml:"connections" doc:"open connections; default 2048"`
	PerAddress  int           `yaml:"connections_per_address" doc:"open connections from one address that is no trusted proxy; of IPv6, from one /64; default 512"`
	HeaderTime  time.Duration `yaml:"header_time" doc:"time to send the header of a request; default 5s"`
	BodyTime    time.Duration `yaml:"body_time" doc:"time to send the body of a request; default 15s"`
	IdleTime    time.Duration `yaml:"idle_time" doc:"time that an idle connection stays open; default 60s"`
	StoreTime   time.Duration `yaml:"store_time" doc:"time to get a webhook on disk, beyond which the sender is asked to come back; default 4s"`
}

// Access is what every source has beside its vendor's settings: whom it
// admits, and how much it takes.
type Access struct {
	Token           []Secret     `yaml:"token" doc:"secret last part of the webhook's address, /hooks/{source}/{token}, or in a header; a list while it is being changed"`
	TokenHeader     string       `yaml:"token_header" doc:"a further header that may carry the token; Authorization and X-Token always may"`
	AllowFrom       Networks     `yaml:"allow_from" doc:"addresses that webhooks may come from, such as 192.0.2.7 or 192.0.2.0/24; with a token, both must be right"`
	Unauthenticated bool         `yaml:"unauthenticated" doc:"take webhooks of a vendor that signs nothing from anybody, without token or addresses; never do that on the internet"`
	Limits          SourceLimits `yaml:"limits" doc:"what this source takes at most"`
}

// SourceLimits bound one source; zero fields are no limit of its own.
type SourceLimits struct {
	Body     Bytes   `yaml:"body" doc:"largest body; default: limits.body"`
	Rate     float64 `yaml:"rate" doc:"webhooks a second, beyond which the sender is answered 429; default 0: no limit"`
	Burst    int     `yaml:"burst" doc:"webhooks that may come at once before rate counts; default: 10 seconds' worth"`
	InFlight int     `yaml:"in_flight" doc:"webhooks of this source being stored at one time; default: limits.in_flight"`
}

// Log says what is logged, and how.
type Log struct {
	Level  Level  `yaml:"level" doc:"debug, info, warn or error; default info"`
	Format Format `yaml:"format" doc:"text or json; default text"`
}

// document is the file as it is written.
type document struct {
	Listen         string      `yaml:"listen" doc:"address for webhooks, host:port; default 127.0.0.1:8787"`
	Admin          string      `yaml:"admin" doc:"address of the dashboard, the admin API and metrics: host:port on the loopback, or unix:/path; others only with admin_access; default 127.0.0.1:8788"`
	PublicURL      string      `yaml:"public_url" doc:"how senders reach this daemon, such as https://hooks.example.com; needed where a vendor signs the address or is told it, and a proxy in front hides it"`
	DataDir        string      `yaml:"data_dir" doc:"folder of the ledger; default $STATE_DIRECTORY, else ./data"`
	Mapping        string      `yaml:"mapping" doc:"file or folder of the rules; default mapping.yaml"`
	Sources        blocks      `yaml:"sources" doc:"who sends webhooks, by name"`
	Connectors     blocks      `yaml:"connectors" doc:"which CRM accounts are written to, by name"`
	Defaults       Defaults    `yaml:"defaults" doc:"for values that leave them out"`
	Delivery       Delivery    `yaml:"delivery" doc:"how long and how often a delivery is tried"`
	Retention      Retention   `yaml:"retention" doc:"how long the ledger keeps what"`
	Privacy        Privacy     `yaml:"privacy" doc:"what of people the ledger keeps, and how"`
	Reconcile      Reconcile   `yaml:"reconcile" doc:"when vendor, ledger and CRM are compared, and what is done about what differs"`
	Limits         Limits      `yaml:"limits" doc:"what the public port takes"`
	Log            Log         `yaml:"log" doc:"what is logged, and how"`
	TrustedProxies Networks    `yaml:"trusted_proxies" doc:"addresses of reverse proxies whose X-Forwarded-For is believed"`
	TLS            TLS         `yaml:"tls" doc:"certificate of the public port; default: none, for a proxy with TLS in front"`
	AdminAccess    AdminAccess `yaml:"admin_access" doc:"certificate and users of the admin side"`
	Tracing        Tracing     `yaml:"tracing" doc:"collector that OpenTelemetry traces are sent to; wants a crmsyncd built with TAGS=otel"`
	Ledger         Ledger      `yaml:"ledger" doc:"kind of ledger: bolt"`
}

const day = 24 * time.Hour

func defaults(env Env) document {
	state, _ := env.Getenv("STATE_DIRECTORY")
	state, _, _ = strings.Cut(state, ":") // systemd lists several
	return document{
		Listen:    "127.0.0.1:8787",
		Admin:     "127.0.0.1:8788",
		DataDir:   cmp.Or(state, "data"),
		Mapping:   "mapping.yaml",
		Delivery:  Delivery{MaxAge: 7 * day, BackoffMin: 5 * time.Second, BackoffMax: time.Hour, Drain: 25 * time.Second},
		Privacy:   Privacy{StoreTranscripts: true},
		Retention: Retention{Done: 90 * day, Unmatched: 30 * day, Discarded: 30 * day, Quarantined: 90 * day, Identity: 400 * day},
		Reconcile: Reconcile{
			Jitter: time.Minute, Overlap: 2 * time.Hour, FullEvery: 7 * day, RequestsPerRun: 2000, RequestsPerDay: 10_000,
			OnEdit: "keep", OnMissing: "report",
		},
		Limits: Limits{
			Body: 8 << 20, InFlight: 512, Buffered: 256 << 20, Connections: 2048, PerAddress: 512,
			HeaderTime: 5 * time.Second, BodyTime: 15 * time.Second, IdleTime: time.Minute, StoreTime: 4 * time.Second,
		},
		Log:     Log{Level: "info", Format: "text"},
		Tracing: Tracing{Sample: 1},
	}
}

// Load reads the file at path; env is System() but in tests and for commands
// that send nothing. Settings are nil only where nothing of the file could be
// read.
func Load(path string, env Env) (*Settings, diag.Problems) {
	text, err := diag.ReadFile(path)
	if err != nil {
		p := diag.Problem{Pos: diag.Pos{File: path}, Message: "cannot be read"}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			p.Message, p.Hint = "there is no such file", "name the settings with --config FILE"
		case errors.Is(err, fs.ErrPermission):
			p.Message, p.Hint = "this user may not read the file", "run as the user of the service, or change the file's owner"
		case errors.Is(err, syscall.EISDIR):
			p.Message, p.Hint = "this is a folder", "name the file in it: --config "+filepath.Join(path, "config.yaml")
		}
		return nil, diag.Problems{p}
	}
	s, problems := Read(path, text, env)
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o004 != 0 && len(secretLines(text)) > 0 {
		problems = append(problems, diag.Problem{
			Pos: diag.Pos{File: path}, Severity: diag.Warning, Message: "every user of this machine can read the file, and it holds a secret",
			Hint: "chmod o-r " + path + ", or put the secret elsewhere: ${file:…}, ${credential:…}, ${ENV}",
		})
	}
	return s, problems
}

// Read reads settings from text; name is that of the file. With an Error among
// the problems the settings are as far as they could be read.
func Read(name string, text []byte, env Env) (*Settings, diag.Problems) {
	env = env.filled(filepath.Dir(name))
	secret := secretLines(text)
	root, problems := diag.ReadYAML(name, text)
	if root == nil {
		return nil, hide(problems, secret)
	}
	problems = hide(append(problems, env.interpolate(root)...), secret)
	for line := range secret {
		root.File.Hide(line)
	}
	doc := defaults(env)
	problems = append(problems, root.Decode(&doc)...)
	s := &Settings{
		File: name, Dir: env.dir, Listen: doc.Listen, Admin: doc.Admin, DataDir: env.path(doc.DataDir), Mapping: env.path(doc.Mapping),
		Sources: doc.Sources, Connectors: doc.Connectors, Defaults: doc.Defaults, Delivery: doc.Delivery, Retention: doc.Retention, Privacy: doc.Privacy, Reconcile: doc.Reconcile, Limits: doc.Limits, Log: doc.Log, TrustedProxies: doc.TrustedProxies,
		TLS: doc.TLS, AdminAccess: doc.AdminAccess, Tracing: doc.Tracing,
	}
	for _, bs := range [][]Block{s.Sources, s.Connectors} {
		for i := range bs {
			bs[i].Unresolved, bs[i].StandIns = within(bs[i].Node, env.broken), within(bs[i].Node, env.stood)
		}
	}
	s.Privacy.Keys = keyPlaces(root.Get("privacy").Get("encryption_keys"), func(n *diag.Node) bool { return within(n, env.broken) || within(n, env.stood) })
	s.Defaults.Zone = s.Defaults.Timezone.location()
	if s.Reconcile.Zone = s.Defaults.Zone; s.Reconcile.Timezone != "" {
		s.Reconcile.Zone = s.Reconcile.Timezone.location()
	}
	if doc.PublicURL != "" {
		u, err := url.Parse(doc.PublicURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			problems = append(problems, root.Get("public_url").Problem("wants an http or https address", "write it like https://hooks.example.com"))
		} else {
			s.PublicURL = u
		}
	}
	problems = append(problems, s.check(root)...)
	problems = append(problems, s.checkEdge(root, env)...)
	problems = append(problems, inTheClear(s.Sources, s.Connectors)...)
	problems = append(problems, s.Tracing.check(root.Get("tracing"), env)...)
	problems = append(problems, s.Reconcile.check(root, s.Sources, s.Connectors)...)
	problems.Sort()
	return s, problems.Told()
}

// hide takes out of the problems what they show of lines that hold a secret.
func hide(ps diag.Problems, secret map[int]bool) diag.Problems {
	for i, p := range ps {
		if !secret[p.Pos.Line] {
			continue
		}
		ps[i].Line = ""
		if strings.ContainsAny(p.Message, "&*") { // an unquoted secret that was taken for an anchor
			ps[i].Message, ps[i].Hint = "the value begins with a character that YAML keeps for itself", "put the value in quotes"
		}
	}
	return ps
}

// check finds what single values do not show.
func (s *Settings) check(root *diag.Node) (ps diag.Problems) {
	at := func(block, key, message, hint string) {
		n := root
		if block != "" {
			n = root.Get(block)
		}
		if v := n.Get(key); v != nil {
			ps = append(ps, v.Problem(message, hint))
		}
	}
	if !isAddress(s.Listen) {
		at("", "listen", "wants an address and a port", "write it like 127.0.0.1:8787, or :8787 for all addresses of this machine")
	}
	if path, ok := strings.CutPrefix(s.Admin, "unix:"); ok {
		if path == "" {
			at("", "admin", "the path of the socket is missing", "write it like unix:/run/crmsyncd/admin.sock")
		}
		if path != "" && !filepath.IsAbs(path) {
			s.Admin = "unix:" + filepath.Join(s.Dir, path)
		}
	} else if !isAddress(s.Admin) {
		at("", "admin", "wants an address and a port, or unix:/path", "write it like 127.0.0.1:8788 or unix:/run/crmsyncd/admin.sock")
	} else if s.Admin == s.Listen && !strings.HasSuffix(s.Admin, ":0") {
		key := "admin"
		if root.Get(key) == nil {
			key = "listen"
		}
		at("", key, "listen and admin have the same address", "give each its own port")
	}
	if info, err := os.Stat(s.DataDir); err == nil && !info.IsDir() || errors.Is(err, syscall.ENOTDIR) {
		at("", "data_dir", "it is a file, or in one, and no folder", "name a folder; one that is not there is made")
	}
	if s.Defaults.Country != "" {
		if message, hint := CheckCountry(s.Defaults.Country); message != "" {
			at("defaults", "country", message, hint)
		}
	}
	d, r, l := s.Delivery, s.Retention, s.Limits
	for _, c := range []struct {
		block, key string
		wrong      bool
		message    string
	}{
		{"delivery", "max_age", d.MaxAge < time.Minute, "wants at least 1m"},
		{"delivery", "max_attempts", d.MaxAttempts < 0, "wants 0 or more"},
		{"delivery", "backoff_min", d.BackoffMin < 100*time.Millisecond, "wants at least 100ms"},
		{"delivery", "backoff_max", d.BackoffMax < d.BackoffMin, "wants at least as much as backoff_min"},
		{"delivery", "backoff_max", d.BackoffMax > 24*time.Hour, "wants at most 24h"},
		{"delivery", "drain", d.Drain < 0 || d.Drain > 10*time.Minute, "wants 0s to 10m"},
		{"retention", "done", isShort(r.Done), leastKept},
		{"retention", "unmatched", isShort(r.Unmatched), leastKept},
		{"retention", "discarded", isShort(r.Discarded), leastKept},
		{"retention", "dead", isShort(r.Dead), leastKept},
		{"retention", "quarantined", isShort(r.Quarantined), leastKept},
		{"retention", "payloads", isShort(r.Payloads), leastKept},
		{"retention", "identity", r.Identity != 0 && r.Identity < 30*day, "wants at least 30d, or 0 for ever"},
		{"limits", "body", l.Body < 1<<10 || l.Body > 64<<20, "wants 1KiB to 64MiB"},
		{"limits", "in_flight", l.InFlight < 1, "wants at least 1"},
		{"limits", "buffered", l.Buffered < l.Body, "wants at least as much as limits.body"},
		{"limits", "connections", l.Connections < 1, "wants at least 1"},
		{"limits", "connections_per_address", l.PerAddress < 1, "wants at least 1"},
		{"limits", "header_time", l.HeaderTime < time.Second || l.HeaderTime > time.Minute, "wants 1s to 1m"},
		{"limits", "body_time", l.BodyTime < time.Second || l.BodyTime > 5*time.Minute, "wants 1s to 5m"},
		{"limits", "idle_time", l.IdleTime < time.Second || l.IdleTime > 10*time.Minute, "wants 1s to 10m"},
		{"limits", "store_time", l.StoreTime < 100*time.Millisecond || l.StoreTime > time.Minute, "wants 100ms to 1m"},
	} {
		if c.wrong {
			at(c.block, c.key, c.message, "")
		}
	}
	return ps
}

const leastKept = "wants at least 1h, or 0 for ever"

func isShort(d time.Duration) bool { return d < 0 || d > 0 && d < time.Hour }

func isAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, perr := strconv.Atoi(port)
	return err == nil && perr == nil && n >= 0 && n <= 65535 && !strings.ContainsAny(host, " /")
}

func isLoopback(s string) bool {
	host, _, _ := net.SplitHostPort(s)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
