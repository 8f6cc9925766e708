package token

import (
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// How keys at an address are fetched (reliability section 3.2).
const (
	fetchTimeout    = 5 * time.Second
	maxSet          = 256 << 10 // bytes of a response
	refreshInterval = 10 * time.Minute
	retryInterval   = 30 * time.Second // after a failure, and at most so often for a kid that is not known
	keepFor         = 24 * time.Hour   // how long the last good set counts
)

func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableKeepAlives = true // minutes lie between two requests
	t.MaxResponseHeaderBytes = 16 << 10
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	return t
}

// remote is the keys at one address.
type remote struct {
	// Static after construction.
	url    string
	client *http.Client
	log    *slog.Logger

	set atomic.Pointer[fetched] // nil until some were had

	mu      sync.Mutex    // guards the following
	flight  chan struct{} // closed when the fetch that is under way has ended; nil: none is
	started time.Time     // the last fetch
	failed  bool
	ended   bool // Run is over
	flights sync.WaitGroup
	ctx     context.Context // of Run
}

// fetched is a set as it was at some time.
type fetched struct {
	keys keys
	at   time.Time
}

// find returns the keys for a token. If there are none it looks whether they are new, which it
// does not do often, and waits for that. The error says that the address does not answer.
func (r *remote) find(ctx context.Context, kid, alg string) ([]crypto.PublicKey, error) {
	found, err := r.have(kid, alg)
	if len(found) > 0 {
		return found, nil
	}
	flight := r.fetch()
	if flight == nil {
		return nil, err
	}
	select {
	case <-flight:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return r.have(kid, alg)
}

func (r *remote) have(kid, alg string) ([]crypto.PublicKey, error) {
	s := r.set.Load()
	switch {
	case s == nil:
		return nil, fmt.Errorf("no keys from %s yet", r.url)
	case time.Since(s.at) > keepFor:
		return nil, fmt.Errorf("the keys from %s are older than %v", r.url, keepFor)
	}
	return s.keys.find(kid, alg), nil
}

// fetch returns the fetch that is under way, begun if the last one was long enough ago; nil if it
// was not.
func (r *remote) fetch() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flight != nil {
		return r.flight
	}
	if r.ctx == nil || r.ended || !r.started.IsZero() && time.Since(r.started) < retryInterval {
		return nil
	}
	return r.beginLocked()
}

func (r *remote) beginLocked() <-chan struct{} {
	flight := make(chan struct{})
	r.flight, r.started = flight, time.Now()
	r.flights.Go(func() { // run waits
		set, err := r.get(r.ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		if err == nil {
			r.set.Store(&fetched{set, time.Now()})
		}
		if err != nil && !r.failed && r.ctx.Err() == nil {
			r.log.Error("the keys of tokens cannot be fetched; those that are there count for a day", "url", r.url, "error", err)
		} else if err == nil && r.failed {
			r.log.Info("the keys of tokens can be fetched again", "url", r.url)
		}
		r.failed = err != nil
		r.flight = nil
		close(flight)
	})
	return flight
}

// run fetches regularly until ctx ends.
func (r *remote) run(ctx context.Context) {
	r.mu.Lock()
	r.ctx = ctx
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.ended = true
		r.mu.Unlock()
		r.flights.Wait()
	}()
	for {
		r.mu.Lock()
		var landed <-chan struct{} = r.flight
		if r.flight == nil {
			landed = r.beginLocked()
		}
		r.mu.Unlock()
		<-landed // within fetchTimeout
		r.mu.Lock()
		wait := refreshInterval
		if r.failed {
			wait = retryInterval
		}
		r.mu.Unlock()
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

func (r *remote) get(ctx context.Context) (keys, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK { // a redirect among them: the address is fixed
		return nil, fmt.Errorf("GET %s: %s", r.url, resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxSet+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxSet {
		return nil, errors.New("the JWK set is larger than 256 KiB")
	}
	return parseSet(b)
}
