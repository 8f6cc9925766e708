package engineio

import (
	"context"
	"log/slog"
	"net/http"
)

// Server accepts requests on the Engine.IO path and finds or opens the Socket they belong to.
type Server struct {
	config  Config
	handler Handler
	log     *slog.Logger
}

// NewServer returns a Server. cfg must be valid (Config.Validate).
func NewServer(cfg Config, h Handler, log *slog.Logger) *Server {
	return &Server{config: cfg.withDefaults(), handler: h, log: log}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }

// Connections is the number of open Sockets.
func (s *Server) Connections() int { return 0 }

// Close closes every Socket with ServerShutdown and waits until the Handler has heard of all of
// them and no goroutine is left, or until ctx ends.
func (s *Server) Close(ctx context.Context) error { return nil }
