package receiver

import (
	"net/http"
	"time"
)

// Server serves h with the time limits of l, so that no sender can hold a
// connection by being slow. ErrorLog is left to the caller.
func Server(h http.Handler, l Limits) *http.Server {
	l = l.filled()
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: l.HeaderTime,
		// The body has its own deadline, after which the sender gets a 408.
		// This one is for what no handler reads.
		ReadTimeout:    l.HeaderTime + l.BodyTime + time.Second,
		WriteTimeout:   l.HeaderTime + l.BodyTime + l.StoreTime + 10*time.Second,
		IdleTimeout:    l.IdleTime,
		MaxHeaderBytes: 16 << 10,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          64,
			MaxReceiveBufferPerConnection: 1 << 20,
			MaxReceiveBufferPerStream:     256 << 10,
			SendPingTimeout:               30 * time.Second,
			PingTimeout:                   15 * time.Second,
			WriteByteTimeout:              10 * time.Second,
		},
	}
}
