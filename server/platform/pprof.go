package platform

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// profiler serves net/http/pprof on an address of its own, so that a profile can be taken
// while ingest is saturated and is never reachable where clients are.
type profiler struct {
	server *http.Server
	addr   net.Addr
	served chan error
}

// openProfiler listens at once.
func openProfiler(addr string) (*profiler, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("open profiler: %w; choose another address with -pprof", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	p := &profiler{
		// A profile is written for as long as was asked, so there is no write timeout.
		server: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second},
		addr:   ln.Addr(),
		served: make(chan error, 1),
	}
	go func() { p.served <- p.server.Serve(ln) }()
	return p, nil
}

// close cuts off what is under way.
func (p *profiler) close() error {
	err := p.server.Close()
	if served := <-p.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
