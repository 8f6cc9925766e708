package access

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"sync"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/token"
)

// maxJWTs is how many tokens are remembered, so that their signatures are not checked at each call.
const maxJWTs = 1024

// jwts are the JWTs of one issuer. Its keys are in files: a call must not wait for the network.
type jwts struct {
	// Static after construction.
	verifier *token.Verifier

	mu    sync.Mutex // guards the following
	known map[[sha256.Size]byte]token.Identity
}

func newJWTs(issuer, audience string, files []string) (*jwts, error) {
	cfg := token.Config{Issuer: issuer, KeyFiles: files, Algorithms: []string{"EdDSA", "ES256", "ES384", "RS256"}}
	if audience != "" {
		cfg.Audiences = []string{audience}
	}
	v, err := token.New(cfg, slog.New(slog.DiscardHandler)) // it logs of addresses only
	if err != nil {
		return nil, err
	}
	return &jwts{verifier: v, known: make(map[[sha256.Size]byte]token.Identity)}, nil
}

// verify returns the subject of a token and when it ends; "" if it is not good now. hash is that
// of the token.
func (j *jwts) verify(text string, hash [sha256.Size]byte, now time.Time) (subject string, until time.Time) {
	j.mu.Lock()
	id, ok := j.known[hash]
	j.mu.Unlock()
	if !ok {
		var err error
		if id, err = j.verifier.Verify(context.Background(), text); err != nil { // no address, so no waiting
			return "", until
		}
		j.mu.Lock()
		if len(j.known) >= maxJWTs {
			clear(j.known)
		}
		j.known[hash] = id
		j.mu.Unlock()
	}
	if now.After(id.Expires) {
		return "", until
	}
	return id.Subject, id.Expires
}
