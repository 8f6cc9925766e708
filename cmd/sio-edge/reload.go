package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge"
	"github.com/sio-edge/sio-edge/internal/edge/audit"
	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/token"
)

// live is the settings in force, which SIGHUP can change.
type live struct {
	// Static after construction.
	load  func() (settings, error)
	level *slog.LevelVar
	hup   chan os.Signal

	// Set by serve, before watch.
	orphaned func() bool // nobody can see any more what the edge says
	end      func()      // begins the drain

	now atomic.Pointer[settings]
}

// newLive returns the settings of the layers that load reads. SIGHUP waits from now on.
func newLive(load func() (settings, error)) (*live, error) {
	s, err := load()
	if err != nil {
		return nil, err
	}
	l := &live{load: load, level: new(slog.LevelVar), hup: make(chan os.Signal, 1), orphaned: func() bool { return false }, end: func() {}}
	l.level.Set(levelOf(s))
	l.now.Store(&s)
	signal.Notify(l.hup, syscall.SIGHUP)
	return l, nil
}

// changeable are the keys that a running edge can change; every other needs a restart.
var changeable = []string{"log-level", "max-connections", "cors-origin", "cors-credentials", "cors-allowed-headers",
	"cors-exposed-headers", "cors-max-age", "allow-missing-origin"}

// running is what SIGHUP reaches.
type running struct {
	engine    *engineio.Server
	front     *edge.Server
	keys      *token.Verifier // nil: nobody is asked for a token
	audited   *slog.Logger
	auditFile *audit.Chain // nil: there is none
}

// watch reloads at every SIGHUP until ctx ends.
func (l *live) watch(ctx context.Context, r running, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			signal.Stop(l.hup)
			return
		case <-l.hup:
			if l.orphaned() {
				l.end()
				continue
			}
			notifyReloading()
			if r.auditFile != nil {
				if err := r.auditFile.Reopen(); err != nil {
					log.Error("audit file not opened again, the former one is written on", "error", err)
				}
			}
			r.front.ReloadCertificate()
			if r.keys != nil {
				reloadKeys(r.keys, log)
			}
			l.reload(r, log)
			notifyReady()
		}
	}
}

// reload reads all layers again and puts what can change in force, all of it or nothing.
func (l *live) reload(r running, log *slog.Logger) {
	next, err := l.load()
	if err != nil {
		for fault := range strings.Lines(err.Error()) {
			log.Error("configuration not reloaded, the former one stays in force", "fault", strings.TrimSuffix(fault, "\n"))
		}
		return
	}
	merged := *l.now.Load()
	changed, pending := merged.adopt(next)
	l.level.Set(levelOf(merged))
	r.engine.SetBrowsers(merged.engineio())
	r.front.SetMaxConnections(merged.maxConnections())
	l.now.Store(&merged)
	switch {
	case len(changed) > 0:
		log.Info("configuration reloaded", "changed", strings.Join(changed, ", "))
		if r.auditFile != nil { // in the log it stands already
			r.audited.Info("configuration changed", "changed", strings.Join(changed, ", "))
		}
	case len(pending) == 0:
		log.Info("configuration reloaded: nothing has changed")
	}
	if len(pending) > 0 {
		log.Warn("changes that need a restart are not in force", "keys", strings.Join(pending, ", "))
	}
}

// reloadKeys reads the keys of tokens again.
func reloadKeys(keys *token.Verifier, log *slog.Logger) {
	if err := keys.Reload(); err != nil {
		log.Error("keys of tokens not reloaded, the former ones stay in force", "error", err)
	}
}

// adopt takes over what can change, and names that and the rest that differs.
func (s *settings) adopt(next settings) (changed, pending []string) {
	now, then := reflect.ValueOf(s).Elem(), reflect.ValueOf(next)
	for i := range now.NumField() {
		key := keyOf(now.Type().Field(i).Name)
		a, b := now.Field(i), then.Field(i)
		if reflect.DeepEqual(a.Interface(), b.Interface()) {
			continue
		}
		if slices.Contains(changeable, key) {
			changed = append(changed, fmt.Sprintf("%s: %s -> %s", key, written(a.Interface()), written(b.Interface())))
			a.Set(b)
		} else {
			pending = append(pending, key)
		}
	}
	return changed, pending
}

// written shows a value as it could be written.
func written(v any) string {
	switch v := v.(type) {
	case list:
		if len(v) == 0 {
			return "none"
		}
		return strings.Join(v, ",")
	case duration:
		return time.Duration(v).String()
	}
	return fmt.Sprint(v)
}
