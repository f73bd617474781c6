package app

import (
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/receiver"
	"github.com/crmsyncd/crmsyncd/internal/web"
)

// Judge has the dashboard say what judge makes of the daemon's status. Call it
// once, before Run.
func (a *App) Judge(judge web.Judge) { a.judge = judge }

// servers are that of the webhooks and that of the admin side.
func (a *App) servers(limits receiver.Limits) (public, private *http.Server) {
	public = receiver.Server(receiver.New(receiver.Options{
		Sources: func() map[string]receiver.Source { return a.setup.Load().receiving },
		Append:  a.append, Limits: limits, TrustedProxies: a.setup.Load().Settings.TrustedProxies, PublicURL: a.setup.Load().Settings.PublicURL, Log: a.log, Observe: a.metrics.received, Spans: a.spans,
	}), limits)
	private = &http.Server{
		Handler:           admin.HandlerFor(a.desk, a.metrics.handler(), web.New(a.desk, a.judge), a.edge.access.Load),
		ConnContext:       admin.ConnContext,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		HTTP2: public.HTTP2,
	}
	if a.edge.public != nil {
		public.TLSConfig = a.edge.public.Config()
	}
	if a.edge.private != nil && a.private.Addr().Network() != "unix" {
		private.TLSConfig = a.edge.private.Config()
	}
	public.Handler, private.Handler = a.cutOff(public.Handler), a.answered(private.Handler)
	for _, srv := range []*http.Server{public, private} {
		srv.ErrorLog = slog.NewLogLogger(a.log.Handler(), slog.LevelDebug)
	}
	return public, private
}

// serveOn serves with TLS where the server has a certificate.
func serveOn(srv *http.Server, l net.Listener) error {
	if srv.TLSConfig != nil {
		return srv.ServeTLS(l, "", "")
	}
	return srv.Serve(l)
}

func scheme(secure bool) string {
	if secure {
		return "https://"
	}
	return "http://"
}
