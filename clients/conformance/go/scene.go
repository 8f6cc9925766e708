package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
)

// scene is what actions are about: something that happened to a socket.
type scene struct {
	backend   *backend
	namespace *sioedge.Namespace
	socket    *sioedge.Socket
	what      string
	args      sioedge.Args
	reason    sioedge.Reason
	answer    any // of the last Ask
}

// run does the actions in order and returns the reply, if there is one.
func (b *backend) run(ctx context.Context, actions []action, s *scene) (*sioedge.Args, error) {
	for _, a := range actions {
		reply, err := s.do(ctx, a)
		if reply != nil || err != nil {
			return reply, err
		}
	}
	return nil, nil
}

func (s *scene) do(ctx context.Context, a action) (*sioedge.Args, error) {
	switch {
	case a.Emit != "":
		args, err := s.list(a.Args)
		if err != nil {
			return nil, err
		}
		if target, ok := s.target(a); ok {
			return nil, target.Emit(ctx, a.Emit, args...)
		}
		return nil, s.socket.Emit(ctx, a.Emit, args...)
	case a.Ask != "":
		return nil, s.ask(ctx, a)
	case a.Tell != "":
		return nil, s.tell(ctx, a)
	case a.Join != nil:
		rooms, err := s.rooms(a.Join)
		if err != nil {
			return nil, err
		}
		return nil, s.socket.Join(rooms...)
	case a.Leave != nil:
		rooms, err := s.rooms(a.Leave)
		if err != nil {
			return nil, err
		}
		return nil, s.socket.Leave(rooms...)
	case a.Set != nil:
		for key, value := range a.Set {
			if err := s.socket.Set(key, value); err != nil {
				return nil, err
			}
		}
		return nil, nil
	case a.User != "":
		return nil, s.socket.SetUser(a.User)
	case a.Reject != nil:
		if a.Data == nil {
			return nil, sioedge.Reject(*a.Reject, nil)
		}
		return nil, sioedge.Reject(*a.Reject, a.Data)
	case a.Disconnect:
		return nil, s.socket.Disconnect(false)
	case a.Note != nil:
		args, err := s.list(a.Note)
		s.backend.print(map[string]any{"note": args})
		return nil, err
	case a.Fail > 0:
		return nil, s.backend.fail(s.what, a.Fail)
	case a.Exit == s.backend.life && a.Exit > 0:
		os.Exit(1)
	case a.Wait > 0:
		time.Sleep(time.Duration(a.Wait) * time.Millisecond)
	case a.Reply != nil:
		if whole(a.Reply) {
			return &s.args, nil
		}
		args, err := s.list(a.Reply)
		if err != nil {
			return nil, err
		}
		return pack(args)
	}
	return nil, nil
}

func (b *backend) fail(what string, times int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tries[what]++; b.tries[what] <= times {
		return errors.New("told to fail")
	}
	return nil
}

func (s *scene) ask(ctx context.Context, a action) error {
	args, err := s.list(a.Args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(a.Timeout)*time.Millisecond)
	defer cancel()
	got, err := s.socket.EmitWithAck(ctx, a.Ask, args...)
	switch {
	case errors.Is(err, sioedge.TimedOut), errors.Is(err, context.DeadlineExceeded):
		s.answer = "no answer in time"
		return nil
	case err != nil:
		return err
	}
	s.answer, err = values(got)
	return err
}

func (s *scene) tell(ctx context.Context, a action) error {
	args, err := s.list(a.Args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(a.Timeout)*time.Millisecond)
	defer cancel()
	answers, err := s.namespace.TellWithAck(ctx, a.Tell, args...)
	all := make([]any, len(answers))
	for i := range answers {
		err = errors.Join(err, answers[i].Args.Bind(&all[i]))
	}
	s.answer = all
	return err
}

// target is whom an emit is for; false is the client itself.
func (s *scene) target(a action) (sioedge.Target, bool) {
	to := s.namespace.Everyone()
	var word string
	var rooms []string
	switch {
	case a.ToUsers != nil:
		to = to.ToUsers(a.ToUsers...)
	case a.To == nil || json.Unmarshal(a.To, &word) == nil && word == "self":
		return to, false
	case word != "everyone":
		rooms, _ = s.rooms(a.To)
		to = to.To(rooms...)
	}
	for _, name := range a.Except {
		if name == "self" {
			name = s.socket.ID()
		}
		to = to.Except(name)
	}
	return to, true
}

// whole says that an expression is all arguments as they came.
func whole(text json.RawMessage) bool {
	var args struct {
		All bool `json:"$args"`
	}
	return json.Unmarshal(text, &args) == nil && args.All
}

// pack makes arguments of values, as On does of results.
func pack(list []any) (*sioedge.Args, error) {
	var args sioedge.Args
	text, err := json.Marshal(place(list, &args.Attachments))
	args.JSON = text
	return &args, err
}

// place is value with placeholders for its byte slices.
func place(value any, attachments *[][]byte) any {
	switch v := value.(type) {
	case []byte:
		*attachments = append(*attachments, v)
		return map[string]any{"_placeholder": true, "num": len(*attachments) - 1}
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = place(v[i], attachments)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key := range v {
			out[key] = place(v[key], attachments)
		}
		return out
	}
	return value
}

// values decodes arguments.
func values(args sioedge.Args) ([]any, error) {
	list := make([]any, args.Len())
	pointers := make([]any, len(list))
	for i := range list {
		pointers[i] = &list[i]
	}
	return list, args.Bind(pointers...)
}

func (s *scene) rooms(text json.RawMessage) ([]string, error) {
	list, err := s.list(text)
	rooms := make([]string, len(list))
	for i := range list {
		rooms[i] = fmt.Sprint(list[i])
	}
	return rooms, err
}

// list is the value of an expression that gives a list.
func (s *scene) list(text json.RawMessage) ([]any, error) {
	if text == nil {
		return nil, nil
	}
	var expression any
	if err := json.Unmarshal(text, &expression); err != nil {
		return nil, err
	}
	value, err := s.value(expression)
	list, ok := value.([]any)
	if err == nil && !ok {
		err = fmt.Errorf("%s is no list", text)
	}
	return list, err
}

func (s *scene) value(expression any) (any, error) {
	switch e := expression.(type) {
	case []any:
		out := make([]any, len(e))
		for i := range e {
			var err error
			if out[i], err = s.value(e[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		for key, operand := range e {
			if key[:min(1, len(key))] == "$" {
				return s.special(key, operand)
			}
		}
		out := make(map[string]any, len(e))
		for key := range e {
			var err error
			if out[key], err = s.value(e[key]); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return expression, nil
}

func (s *scene) special(key string, operand any) (any, error) {
	switch key {
	case "$bytes":
		return hex.DecodeString(operand.(string))
	case "$integer":
		return json.Number(operand.(string)), nil
	case "$args":
		return values(s.args)
	case "$arg":
		list, err := values(s.args)
		if i := int(operand.(float64)); err == nil && i < len(list) {
			return list[i], nil
		}
		return nil, err
	case "$kinds":
		list, err := values(s.args)
		return kinds(list), err
	case "$auth":
		var auth any
		err := s.socket.Auth().Bind(&auth)
		return auth, err
	case "$answer":
		return s.answer, nil
	case "$sid":
		return s.socket.ID(), nil
	case "$rooms":
		rooms := slices.DeleteFunc(s.socket.Rooms(), func(room string) bool { return room == s.socket.ID() })
		slices.Sort(rooms)
		out := make([]any, len(rooms))
		for i := range rooms {
			out[i] = rooms[i]
		}
		return out, nil
	case "$user":
		return s.socket.User(), nil
	case "$attribute":
		return s.socket.Get(operand.(string)), nil
	case "$reason":
		return string(s.reason), nil
	case "$member":
		return s.backend.member, nil
	case "$life":
		return s.backend.life, nil
	}
	return nil, fmt.Errorf("unknown expression %s", key)
}

// kinds is the value with the kind of each leaf in its place.
func kinds(value any) any {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case float64:
		return "number"
	case string:
		return "string"
	case []byte:
		return fmt.Sprintf("%d bytes", len(v))
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = kinds(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key := range v {
			out[key] = kinds(v[key])
		}
		return out
	}
	return fmt.Sprintf("%T", value)
}
