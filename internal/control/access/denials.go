package access

import (
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/status"
)

// denials writes denials into the audit log: each kind at once, and then no more than one of a kind
// in denialEvery, with the number of those that were left out.
type denials struct {
	audit *slog.Logger // static after construction

	mu    sync.Mutex // guards the following
	kinds map[string]*denial
}

type denial struct {
	at   time.Time
	more int
}

const (
	denialEvery = 10 * time.Second
	maxDenials  = 1024 // kinds that are told apart
)

// note tells of a denial. Those with the same text, caller and first value are of one kind.
func (d *denials) note(text, caller string, args ...any) {
	kind := text + "\x00" + caller
	if caller == "" && len(args) > 1 {
		kind += args[1].(string)
	}
	now := time.Now()
	d.mu.Lock()
	k := d.kinds[kind]
	if k == nil {
		if d.kinds == nil || len(d.kinds) >= maxDenials {
			d.kinds = make(map[string]*denial)
		}
		k = &denial{}
		d.kinds[kind] = k
	}
	if now.Sub(k.at) < denialEvery {
		k.more++
		d.mu.Unlock()
		return
	}
	more := k.more
	k.at, k.more = now, 0
	d.mu.Unlock()
	if more > 0 {
		args = append(args, "more", more)
	}
	d.audit.Warn(text, args...)
}

func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}

func messageOf(err error) string { return status.Convert(err).Message() }
