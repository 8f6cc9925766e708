package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
)

// command is what a client asks for.
type command struct {
	Op      string
	SID     string // a socket; default the sender
	To      target
	Rooms   []string
	Event   string
	Args    []json.RawMessage
	Count   int
	Timeout int // of an acknowledgement, in milliseconds; 0 asks for none
	Close   bool
	Set     map[string]string
	Label   string

	Volatile bool
}

// target is who is meant.
type target struct {
	Everyone                bool
	Rooms, SIDs, Users      []string
	ExceptRooms, ExceptSIDs []string
}

// in is the same for the SDK. Naming nobody selects nobody.
func (t target) in(n *sioedge.Namespace) sioedge.Target {
	selected := n.Everyone()
	if !t.Everyone {
		selected = selected.To(t.Rooms...)
	}
	if len(t.SIDs) > 0 {
		selected = selected.ToSockets(t.SIDs...)
	}
	if len(t.Users) > 0 {
		selected = selected.ToUsers(t.Users...)
	}
	return selected.Except(t.ExceptRooms...).Except(t.ExceptSIDs...)
}

func (b *backend) run(ctx context.Context, n *sioedge.Namespace, s *sioedge.Socket, c command, binary []byte) (any, error) {
	if c.SID == "" {
		c.SID = s.ID()
	}
	socket := n.ToSockets(c.SID)
	done := struct{}{}
	switch c.Op {
	case "join":
		return done, socket.Join(ctx, c.Rooms...)
	case "leave":
		return done, socket.Leave(ctx, c.Rooms...)
	case "disconnect":
		return done, c.To.in(n).Disconnect(ctx, c.Close)
	case "emit":
		return emit(ctx, c.To.in(n), c, binary)
	case "burst":
		for i := range c.Count {
			if err := s.NoWait().Emit(ctx, c.Event, i); err != nil {
				return nil, err
			}
		}
		return done, nil
	case "volatile-burst":
		for i := range c.Count {
			if err := s.Volatile().Emit(ctx, c.Event, i); err != nil {
				return nil, err
			}
		}
		return done, s.NoWait().Emit(ctx, c.Event, "last")
	case "session":
		return session(ctx, n, c.SID)
	case "count":
		count, err := room(n, c.Rooms).Count(ctx)
		return map[string]any{"count": count.Open}, err
	case "handshake":
		h := s.Handshake()
		return map[string]any{"query": h.Query, "headers": h.Headers, "address": h.RemoteAddr, "secure": h.Secure}, nil
	case "update":
		for key, value := range c.Set {
			if err := s.Set(key, value); err != nil {
				return nil, err
			}
		}
		return done, nil
	case "history":
		b.mu.Lock()
		defer b.mu.Unlock()
		return map[string]any{"entries": append([]entry{}, b.histories[c.Label]...)}, nil
	default:
		return nil, fmt.Errorf("unknown op %q", c.Op)
	}
}

// emit emits the command's event, with the binary as its last argument if there is one.
func emit(ctx context.Context, to sioedge.Target, c command, binary []byte) (any, error) {
	args := values(c.Args)
	if binary != nil {
		args = append(args, binary)
	}
	if c.Volatile {
		to = to.Volatile()
	}
	if c.Timeout == 0 {
		return struct{}{}, to.Emit(ctx, c.Event, args...)
	}
	answers, err := to.Timeout(time.Duration(c.Timeout)*time.Millisecond).EmitWithAck(ctx, c.Event, args...)
	if err != nil {
		return nil, err
	}
	outcome := map[string]int{}
	first := []any{} // of each client's answer, as the official server has it
	for _, a := range answers {
		outcome[a.Outcome.Error()]++
		if a.Outcome == sioedge.Acked {
			var raw json.RawMessage
			var data []byte
			if len(a.Args.Attachments) > 0 {
				if err := a.Args.Bind(&data); err != nil {
					return nil, err
				}
				first = append(first, data)
			} else if err := a.Args.Bind(&raw); err != nil {
				return nil, err
			} else {
				first = append(first, raw)
			}
		}
	}
	return map[string]any{"acked": outcome[sioedge.Acked.Error()], "timedOut": outcome[sioedge.TimedOut.Error()],
		"disconnected": outcome[sioedge.Disconnected.Error()], "answers": first}, nil
}

// session is what the edge keeps with a session.
func session(ctx context.Context, n *sioedge.Namespace, sid string) (any, error) {
	found, err := n.ToSockets(sid).Fetch(ctx)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &sioedge.Error{Reason: "SESSION_GONE"}
	}
	rooms := slices.Sorted(slices.Values(found[0].Rooms))
	delete(found[0].Attributes, "label")
	return map[string]any{"rooms": append([]string{}, rooms...), "user": found[0].User, "attributes": found[0].Attributes}, nil
}

// room selects who is in any of the rooms, everyone if there are none.
func room(n *sioedge.Namespace, rooms []string) sioedge.Target {
	if len(rooms) == 0 {
		return n.Everyone()
	}
	return n.To(rooms...)
}

func values(raw []json.RawMessage) []any {
	args := make([]any, len(raw))
	for i, v := range raw {
		args[i] = v
	}
	return args
}

// reason is what the tests compare: the contract's word where there is one.
func reason(err error) string {
	if e, ok := errors.AsType[*sioedge.Error](err); ok && e.Reason != "" {
		return e.Reason
	}
	return err.Error()
}
