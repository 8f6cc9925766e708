package sioedge

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// handle takes one delivery through its handler and settles it. Calls for one socket never
// overlap.
func (e *Edge) handle(s *Socket, d delivery) {
	if d.note != nil {
		d.note()
		return
	}
	if d.on.ended() {
		return // it comes again, on the next stream
	}
	next, gap := s.inbox.admit(d)
	if !next {
		d.on.forget(d.id)
		return
	}
	if gap {
		e.cfg.log.Error("events of a session are missing", "sid", s.id, "before", d.event.GetSeq())
	}
	id := identify(d.event)
	if was, ok := e.done.get(id); ok {
		if d.event.GetClosed() != nil {
			e.table.remove(s) // it came back with the event
		}
		d.on.settle(d.id, was)
		return
	}
	if e.held.attach(id, d) {
		return
	}
	answer, err := e.protect(s, d)
	switch {
	case errors.Is(err, errHeld):
	case err != nil:
		e.refuse(s, d, err)
	default:
		answer.eventID = id
		e.done.put(answer)
		d.on.settle(d.id, answer)
	}
}

// errHeld says that a handler has returned and will answer later.
var errHeld = errors.New("held")

// refuse hands a delivery back. The last attempt is set aside by name, so that both sides agree
// that the session goes on without it.
func (e *Edge) refuse(s *Socket, d delivery, err error) {
	last := d.attempt >= e.cfg.maxAttempts
	e.cfg.log.Error("handler failed", "event", eventName(d.event), "sid", s.id,
		"attempt", d.attempt, "set aside", last, "error", err)
	if !last {
		s.inbox.refuse(d)
	}
	d.on.nack(d.id, last, strings.ToValidUTF8(err.Error(), "\uFFFD"))
}

// protect calls the handler and turns a panic into an error.
func (e *Edge) protect(s *Socket, d delivery) (answer settlement, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	switch kind := d.event.GetKind().(type) {
	case *pb.Event_ClientEvent:
		return e.clientEvent(s, d, kind.ClientEvent)
	case *pb.Event_ConnectRequested:
		return e.connectRequested(s, d, kind.ConnectRequested)
	case *pb.Event_Opened:
		return settlement{}, e.opened(s, kind.Opened)
	case *pb.Event_Suspended:
		s.mu.Lock()
		s.phase = suspended
		s.mu.Unlock()
		if fn := s.ns.onSuspend; fn != nil {
			fn(e.handler, s, newReason(kind.Suspended.GetReason(), ""))
		}
	case *pb.Event_Resumed:
		s.update(kind.Resumed.GetSession())
		s.mu.Lock()
		s.phase, s.recovered = open, kind.Resumed.GetComplete()
		s.auth = Auth(kind.Resumed.GetAuthJson())
		s.mu.Unlock()
		if fn := s.ns.onResume; fn != nil {
			fn(e.handler, s)
		}
	case *pb.Event_Closed:
		s.update(kind.Closed.GetSession())
		s.mu.Lock()
		s.phase = closed
		s.mu.Unlock()
		e.table.remove(s)
		e.held.release(s)
		if fn := s.ns.onDisconnect; fn != nil {
			fn(e.handler, s, newReason(kind.Closed.GetReason(), kind.Closed.GetDetail()))
		}
	}
	return settlement{}, nil // kinds of a newer edge are settled unseen
}

func (e *Edge) clientEvent(s *Socket, d delivery, ev *pb.ClientEvent) (settlement, error) {
	args, ctx := newArgs(ev.GetPayload()), e.handler
	if d.parent != "" {
		ctx = WithTraceParent(ctx, d.parent)
	}
	if s.ns.onAny != nil {
		if err := s.ns.onAny(ctx, s, ev.GetEvent(), args); err != nil {
			return settlement{}, err
		}
	}
	b := s.ns.events[ev.GetEvent()]
	if b == nil {
		e.cfg.log.Debug("no handler", "event", ev.GetEvent(), "sid", s.id)
		return settlement{}, nil
	}
	if b.manual && ev.GetWantsReply() {
		return settlement{}, e.answerByHand(ctx, b, s, d, args)
	}
	reply, err := b.call(ctx, s, args, ignoreAck)
	if err != nil {
		return settlement{}, e.excuse(err, s, ev.GetEvent())
	}
	if !ev.GetWantsReply() {
		return settlement{}, nil
	}
	if err := answerable(reply); err != nil {
		return settlement{}, fmt.Errorf("answer: %w", err)
	}
	return settlement{reply: reply}, nil
}

// excuse returns nil for arguments that do not fit: it is the client's fault, and trying again
// would not make them fit.
func (e *Edge) excuse(err error, s *Socket, name string) error {
	var misfit argumentError
	if !errors.As(err, &misfit) {
		return err
	}
	e.cfg.log.Warn("arguments do not fit the handler", "event", name, "sid", s.id, "error", misfit.error)
	return nil
}

// ignoreAck is the Ack of an event for which no answer is wanted.
func ignoreAck(...any) error { return nil }

func (e *Edge) opened(s *Socket, ev *pb.Opened) error {
	s.update(ev.GetSession())
	s.mu.Lock()
	s.auth = Auth(ev.GetAuthJson())
	s.mu.Unlock()
	e.table.open(s)
	if s.ns.onOpen == nil {
		return nil
	}
	return s.ns.onOpen(e.handler, s)
}

func (e *Edge) connectRequested(s *Socket, d delivery, req *pb.ConnectRequested) (settlement, error) {
	if s.visible() {
		// A client that asks for its session back: its socket is in use meanwhile, so the
		// handler decides on another one.
		s = e.newSocket(s.id, s.namespace)
	}
	accept := &pb.Accept{}
	s.mu.Lock()
	s.auth, s.handshake, s.recovered = Auth(req.GetAuthJson()), newHandshake(req.GetHandshake()), req.GetResuming()
	s.user, s.attributes, s.rooms, s.decision = req.GetUserId(), req.GetAttributes(), nil, accept
	s.mu.Unlock()
	err := e.decide(s, d, req)
	s.mu.Lock()
	s.decision = nil
	s.mu.Unlock()
	if err == nil {
		err = acceptable(accept)
	}

	var no *rejection
	switch {
	case err == nil:
		return settlement{decision: &pb.ConnectDecision{Outcome: &pb.ConnectDecision_Accept{Accept: accept}}}, nil
	case errors.As(err, &no):
		e.table.remove(s)
		reject, err := no.proto()
		if err != nil {
			e.cfg.log.Error("the data of a rejection is no JSON; left out", "sid", s.id, "error", err)
		}
		return settlement{decision: &pb.ConnectDecision{Outcome: &pb.ConnectDecision_Reject{Reject: reject}}}, nil
	default:
		return settlement{}, err
	}
}

// decide runs OnConnect until it is too late to answer. Both times are the edge's, so that its
// clock and ours may differ.
func (e *Edge) decide(s *Socket, d delivery, req *pb.ConnectRequested) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if s.ns.onConnect == nil {
		return nil
	}
	ctx := e.handler
	if req.GetAnswerBy() != nil && d.event.GetReceivedAt() != nil {
		left := req.GetAnswerBy().AsTime().Sub(d.event.GetReceivedAt().AsTime())
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, left)
		defer cancel()
	}
	return s.ns.onConnect(ctx, s)
}

// eventName is the event for logs.
func eventName(ev *pb.Event) string {
	switch kind := ev.GetKind().(type) {
	case *pb.Event_ClientEvent:
		return kind.ClientEvent.GetEvent()
	case *pb.Event_ConnectRequested:
		return "(connect)"
	case *pb.Event_Opened:
		return "(open)"
	case *pb.Event_Suspended:
		return "(suspend)"
	case *pb.Event_Resumed:
		return "(resume)"
	default:
		return "(disconnect)"
	}
}
