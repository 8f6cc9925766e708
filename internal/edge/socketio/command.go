package socketio

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/wire/sio"
)

// Target selects sessions of one namespace: those in any of Rooms, with any of SIDs or UserIDs,
// or Everyone; less the exceptions. Its slices are not modified after Apply: the packet log keeps them.
type Target struct {
	Namespace   string // "" means "/"
	Rooms       []string
	SIDs        []string
	UserIDs     []string
	Everyone    bool
	ExceptRooms []string
	ExceptSIDs  []string
}

// Command is what a backend wants done: *Emit, *Join, *Leave, *Disconnect or *Update.
type Command interface{ target() *Target }

// Emit sends an event to the selected clients.
type Emit struct {
	ID          string // given by who sent it, to know it again after a restart; may be empty
	Target      Target
	Event       string
	Args        []byte // a JSON array
	Attachments [][]byte
	Volatile    bool
	TTL         time.Duration // not replayed later than this; 0 for no limit
	AckTimeout  time.Duration // above 0: every recipient is asked for an acknowledgement
	Acks        AckSink       // who is told; needed with AckTimeout
}

// Join adds the selected sessions to rooms.
type Join struct {
	Target Target
	Rooms  []string
	By     any // who sends it, for Backend.Changed
}

// Leave removes the selected sessions from rooms, or from all.
type Leave struct {
	Target Target
	Rooms  []string
	All    bool
	By     any // as in Join
}

// Disconnect ends the selected sessions, or with Close everything on their connections. A
// connection that carries a session of a namespace that Within does not allow stays open, and so
// does that session.
type Disconnect struct {
	Target Target
	Close  bool
	Within func(namespace string) bool // nil: any
}

// Update changes the attributes of one session.
type Update struct {
	SID        string
	Namespace  string
	Set        map[string]string
	Unset      []string
	IfRevision uint64 // 0: do not check
}

func (e *Emit) target() *Target       { return &e.Target }
func (j *Join) target() *Target       { return &j.Target }
func (l *Leave) target() *Target      { return &l.Target }
func (d *Disconnect) target() *Target { return &d.Target }
func (u *Update) target() *Target {
	return &Target{Namespace: u.Namespace, SIDs: []string{u.SID}}
}

// Receipt counts what a command did.
type Receipt struct {
	Matched int // sessions selected
	Written int // queued to, kept for, or changed
	Dropped int // volatile and not writable, or away and not recoverable
}

// Apply does what cmd says and queues what it makes; f.Do writes it. Commands of one caller are
// applied in the order of its calls. The error is an *Error; then nothing was done.
func (s *Server) Apply(cmd Command, f *Flush) (Receipt, error) {
	var err error
	switch c := cmd.(type) {
	case *Emit:
		err = s.checkEmit(c)
	case *Join:
		err = s.checkNames(c.Rooms)
	case *Leave:
		err = s.checkNames(c.Rooms)
	}
	if err != nil {
		return Receipt{}, err
	}
	n, err := s.resolve(cmd.target())
	if err != nil || n == nil {
		if err == nil {
			err = s.emptyNamespace(cmd)
		}
		return Receipt{}, err
	}
	switch c := cmd.(type) {
	case *Emit:
		return n.emit(c, f), nil
	case *Join:
		return n.joinAll(c)
	case *Leave:
		return n.leaveAll(c), nil
	case *Disconnect:
		return n.disconnectAll(c, f), nil
	case *Update:
		return n.update(c)
	}
	panic(fmt.Sprintf("socketio: unknown command %T", cmd))
}

// emptyNamespace does what is left to do for a namespace that nobody has joined.
func (s *Server) emptyNamespace(cmd Command) error {
	switch c := cmd.(type) {
	case *Emit:
		if c.AckTimeout > 0 {
			c.Acks.Summary(AckSummary{})
		}
	case *Update:
		return &Error{SessionGone, fmt.Sprintf("update session %q: no such session", c.SID)}
	}
	return nil
}

// resolve finds the namespace of a target and checks that the target names somebody. A namespace
// that clients could join but nobody has joined is nil without an error.
func (s *Server) resolve(t *Target) (*Namespace, error) {
	if t.Namespace == "" {
		t.Namespace = "/"
	}
	if !t.Everyone && len(t.Rooms) == 0 && len(t.SIDs) == 0 && len(t.UserIDs) == 0 {
		return nil, &Error{TargetEmpty, "target names nobody; say everyone if all are meant"}
	}
	for _, names := range [][]string{t.Rooms, t.SIDs, t.UserIDs, t.ExceptRooms, t.ExceptSIDs} {
		if err := s.checkNames(names); err != nil {
			return nil, err
		}
	}
	if n := s.lookup(t.Namespace); n != nil {
		return n, nil
	}
	if s.backend.Admission(t.Namespace) == Unknown {
		return nil, UnknownNamespace(t.Namespace)
	}
	return nil, nil
}

// UnknownNamespace is the error of who names a namespace that is not there, or not for them.
func UnknownNamespace(namespace string) *Error {
	if namespace == "" {
		namespace = "/"
	}
	return &Error{NamespaceUnknown, fmt.Sprintf("namespace %.128q: no configuration and no group declares it", namespace)}
}

// maxNames bounds each list of names in a command: they are gone through with locks held.
const maxNames = 4096

func (s *Server) checkNames(names []string) error {
	if len(names) > maxNames {
		return &Error{TargetInvalid, fmt.Sprintf("%d names, at most %d are allowed", len(names), maxNames)}
	}
	for _, name := range names {
		if err := s.checkName(name); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) checkName(name string) error {
	if limit := s.cfg.RoomName; name == "" || len(name) > limit || !utf8.ValidString(name) {
		return &Error{TargetInvalid, fmt.Sprintf("name %.32q…: 1 to %d bytes of UTF-8 are allowed", name, limit)}
	}
	return nil
}

func (s *Server) checkEmit(e *Emit) error {
	if sio.Reserved(e.Event) {
		return &Error{EventInvalid, fmt.Sprintf("event %q: the name is reserved by Socket.IO", e.Event)}
	}
	if !e.Volatile && s.cfg.Budget.Level() >= budget.Spent {
		s.cfg.Budget.Shed(budget.ShedEmit, 1)
		return &Error{MemoryShort, fmt.Sprintf("emit %q: it cannot be kept: the edge is out of memory", e.Event)}
	}
	if s.store != nil && !e.Volatile {
		if err := s.store.Refuses(); err != nil {
			return &Error{StoreFull, fmt.Sprintf("emit %q: it cannot be kept: %v", e.Event, err)}
		}
	}
	return s.CheckMessage(e.Event, &e.Args, e.Attachments)
}

// CheckMessage refuses a name or arguments beyond the limits: see CheckArgs.
func (s *Server) CheckMessage(event string, args *[]byte, attachments [][]byte) error {
	if len(event) > s.cfg.Limits.Name || !utf8.ValidString(event) {
		return &Error{EventInvalid, fmt.Sprintf("event %.32q…: at most %d bytes of UTF-8 are allowed", event, s.cfg.Limits.Name)}
	}
	return s.CheckArgs(args, attachments)
}

// CheckArgs refuses arguments that a client would close its connection for. No arguments at all
// become the empty array. The error is an *Error.
func (s *Server) CheckArgs(args *[]byte, attachments [][]byte) error {
	if len(*args) == 0 {
		*args = []byte("[]")
	}
	size := len(*args)
	for _, a := range attachments {
		size += len(a)
	}
	if size > s.cfg.Limits.AttachmentBytes {
		return &Error{PayloadInvalid, fmt.Sprintf("payload: %d bytes, at most %d are allowed", size, s.cfg.Limits.AttachmentBytes)}
	}
	if err := sio.CheckArgs(*args, len(attachments), s.cfg.Limits); err != nil {
		return &Error{PayloadInvalid, "payload: " + err.Error()}
	}
	return nil
}
