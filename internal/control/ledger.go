package control

import (
	"hash/maphash"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/sio-edge/sio-edge/internal/control/convert"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// The bounds of the ledger: how long a command_id is remembered, and how many at most. Past
// that number the oldest are forgotten early.
const (
	ledgerWindow  = 2 * time.Minute
	ledgerEntries = 200_000
	maxCommandID  = 128
)

// ledger remembers the results of commands by their ids, so that a command that is sent again
// after a broken stream is done once.
type ledger struct {
	seed maphash.Seed

	mu      sync.Mutex        // guards the following
	results map[string]*entry // by key: who sent it and its command_id
	order   []dated           // by time
}

type entry struct {
	done   chan struct{} // closed once result is set
	body   uint64        // hash of the command
	result *pb.CommandResult
	relay  *ackRelay // of an emit with acknowledgements
	former bool      // a former process did it
}

type dated struct {
	key string
	at  time.Time
}

func newLedger() *ledger {
	return &ledger{seed: maphash.MakeSeed(), results: make(map[string]*entry)}
}

// begin looks the command up by a key. The first to come gets fresh: it must do the command and call
// finish. A repeat gets the entry of the first, and must wait for done.
func (l *ledger) begin(key string, c *pb.Command) (e *entry, fresh bool) {
	quiet := c.Quiet
	c.Quiet = false // it is about the answer, not about what is done
	body, _ := proto.MarshalOptions{Deterministic: true}.Marshal(c)
	c.Quiet = quiet
	hash := maphash.Bytes(l.seed, body)
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.order) > 0 && (len(l.order) > ledgerEntries || now.Sub(l.order[0].at) > ledgerWindow) {
		delete(l.results, l.order[0].key)
		l.order = l.order[1:]
	}
	if e, ok := l.results[key]; ok {
		if e.body != hash && !e.former {
			other := &entry{done: make(chan struct{}), result: &pb.CommandResult{CommandId: c.CommandId,
				Status: convert.Failure(codes.AlreadyExists, "COMMAND_ID_REUSED", "command_id was used for another command").Proto()}}
			close(other.done)
			return other, false
		}
		return e, false
	}
	e = &entry{done: make(chan struct{}), body: hash}
	l.results[key] = e
	l.order = append(l.order, dated{key, now})
	return e, true
}

// remember takes over that a former process has done a command, by its key. What its result was is not known,
// but that it was no failure.
func (l *ledger) remember(key string, at time.Time) {
	e := &entry{done: make(chan struct{}), former: true}
	e.finish(&pb.CommandResult{Receipt: &pb.Receipt{}})
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(at) < ledgerWindow {
		l.results[key] = e
		l.order = append(l.order, dated{key, at})
	}
}

// finish makes the result known to those who repeat the command.
func (e *entry) finish(r *pb.CommandResult) {
	e.result = r
	close(e.done)
}

// again is the first result, marked as such, for a command with this id.
func (e *entry) again(id string) *pb.CommandResult {
	<-e.done
	r := proto.Clone(e.result).(*pb.CommandResult)
	r.CommandId = id
	if r.Receipt != nil {
		r.Receipt.RepeatedCommand = true
	}
	return r
}
