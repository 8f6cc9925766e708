// Package loop waits for what happens on descriptors without a goroutine for each. A few loops, one
// for each processor, hold an epoll set each, and call the Handler of a descriptor that is ready.
//
// It is there on Linux. Elsewhere Loops.Own fails with errors.ErrUnsupported, and connections need
// goroutines.
package loop

import (
	"errors"
	"net"
)

// Handler is what a descriptor belongs to.
type Handler interface {
	// Ready is told that something has happened, on the goroutine of a loop, on which the
	// descriptor's other events wait, and those of others: it must not wait for anything slow. buf is
	// the loop's, 64 KiB to read into, and free again when Ready returns.
	Ready(e Events, buf []byte)
}

// Arrival is the Handler of a connection that was just accepted.
type Arrival interface {
	Handler
	// Seen is called once, on the goroutine of a loop: it has looked since for what the client has
	// sent, and handles that next if there is any. Nothing may be waited for.
	Seen()
}

// Events are what a descriptor is watched for, and what has happened on it: bits of epoll.
type Events uint32

// Gone reports that the peer has gone or the connection broke; it is found out without being looked
// for. Reading tells what it was.
func (e Events) Gone() bool { return e&hungUp != 0 }

// ErrNotNow is what reading and writing say when they would have to wait. It is a net.Error that
// is temporary, so that crypto/tls, which meets it too, goes on afterwards.
var ErrNotNow net.Error = notNow{}

type notNow struct{}

func (notNow) Error() string   { return "no more bytes for now" }
func (notNow) Timeout() bool   { return false }
func (notNow) Temporary() bool { return true }

var errStopped = errors.New("the loops have been stopped")
