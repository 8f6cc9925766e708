package socketio

import (
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/trace"
)

// Kind is what happened to a session.
type Kind uint8

// The kinds of Event, in the order in which a session can meet them.
const (
	ConnectRequested Kind = iota + 1 // a client asks to come in
	Opened                           // a session began
	Suspended                        // its connection was lost, it waits
	Resumed                          // its client is back
	Closed                           // it is over
	ClientEvent                      // its client emitted
)

// Event is something that happened to one session. It is written by this package before
// Backend.Deliver and never changed afterwards, so that any number of groups may share it.
type Event struct {
	Kind Kind
	// Held is set for an event that no group may see before Backend.Release: what it tells is
	// not on disk yet. Those after it of the same Socket wait behind it.
	Held        bool
	NumericName bool    // of a ClientEvent: the client sent the name as a JSON number
	WantsReply  bool    // of a ClientEvent
	Socket      *Socket // whose; gives the sid and the namespace
	Seq         uint64  // position in the history of Socket, from 1; 0 for ConnectRequested
	At          time.Time

	// Of a ClientEvent. Name, Args and Attachments share the buffer that the client's bytes
	// were read into.
	Name        string
	Args        []byte       // a JSON array, checked, as the client wrote it
	Attachments [][]byte     // one for each placeholder in Args
	Trace       *trace.Event // nil: nobody follows it
	ackID       uint64       // what a reply has to carry

	// Of every other kind.
	Life *Life

	request *request // of a ConnectRequested: who waits for the decision
}

// Life is what an Event of a session's life says beyond its kind.
type Life struct {
	Session   Session             // Opened, Resumed, Closed: the state at that moment
	Handshake *engineio.Handshake // ConnectRequested
	Auth      []byte              // ConnectRequested, Opened, Resumed: the client's auth object without pid and offset
	AnswerBy  time.Time           // ConnectRequested
	Resuming  bool                // ConnectRequested: accepting resumes a session
	Identity  *Identity           // ConnectRequested: whom the client's token proves; nil: none was asked for
	Reason    Reason              // Suspended, Closed
	Until     time.Time           // Suspended: end of the recovery window
	Replayed  int                 // Resumed: packets written again
	Complete  bool                // Resumed: nothing was missed
}

// Size is what the event costs a queue, in bytes.
func (e *Event) Size() int {
	n := 128 + len(e.Name) + len(e.Args)
	for _, a := range e.Attachments {
		n += len(a)
	}
	if e.Life != nil {
		n += 512 + len(e.Life.Auth)
	}
	return n
}

// Backend takes events up. Calls for one Socket arrive in order and never overlap.
type Backend interface {
	// Deliver queues the event for every group that wants it and returns at once. It is called
	// with locks of this package held and must not call back into it.
	//
	// It returns false if some group has no room: the event is queued all the same, and the
	// caller stops reading from the client until Socket.Unpause.
	Deliver(*Event) bool
	// Release lets go of an event that was delivered with Held.
	Release(*Event)
	// Changed tells of what is not an event. It is called like Deliver, after the Opened of the
	// session.
	Changed(Change)
	// Admission says whether clients can join a namespace and who decides. It is cheap.
	Admission(namespace string) Admission
}

// Change says that a session is not as its events have told. How it is, Server.Session says.
type Change struct {
	Socket *Socket
	Rooms  []string // that a command made it join or leave; nil: its transport is another
	By     any      // Join.By or Leave.By
}

// Admission is how a namespace takes clients.
type Admission uint8

const (
	Unknown Admission = iota // there is no such namespace
	Free                     // everyone joins
	Asked                    // a group decides on ConnectRequested
)
