package sioedge

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// Ack answers the client's acknowledgement callback by hand, as the last parameter of a handler.
// It may be called after the handler has returned; the first call counts. It does nothing if the
// client asked for no answer. The event is not settled before: at most 16 events of one socket
// wait so, the edge delivers no more of it, and one that is not answered within a minute is
// settled without an answer.
type Ack func(results ...any) error

// binding is a handler that is ready to be called with raw arguments.
type binding struct {
	manual bool // the handler has a parameter of type Ack
	// call returns the answer for the client, nil if the handler answers by hand. An error that
	// is an argumentError comes from before the handler.
	call func(ctx context.Context, s *Socket, args Args, ack Ack) (*pb.Payload, error)
}

// argumentError says that a client's arguments do not fit the handler.
type argumentError struct{ error }

var (
	contextType = reflect.TypeFor[context.Context]()
	socketType  = reflect.TypeFor[*Socket]()
	errorType   = reflect.TypeFor[error]()
	argsType    = reflect.TypeFor[Args]()
	ackType     = reflect.TypeFor[Ack]()
)

// bind prepares fn once, so that a call costs no more reflection than it must.
func bind(fn any) (*binding, error) {
	switch fn := fn.(type) {
	case func(context.Context, *Socket, Args) (Args, error):
		return &binding{call: func(ctx context.Context, s *Socket, args Args, _ Ack) (*pb.Payload, error) {
			out, err := fn(ctx, s, args)
			if err != nil {
				return nil, err
			}
			return &pb.Payload{Json: out.JSON, Attachments: out.Attachments}, nil
		}}, nil
	case func(context.Context, *Socket, Args) error:
		return &binding{call: func(ctx context.Context, s *Socket, args Args, _ Ack) (*pb.Payload, error) {
			return &pb.Payload{}, fn(ctx, s, args)
		}}, nil
	case func(context.Context, *Socket, Args, Ack) error:
		return &binding{manual: true, call: func(ctx context.Context, s *Socket, args Args, ack Ack) (*pb.Payload, error) {
			return nil, fn(ctx, s, args, ack)
		}}, nil
	}
	return bindReflect(fn)
}

// signature is what is known of a handler's type.
type signature struct {
	fn       reflect.Value
	params   []reflect.Type // of the arguments
	variadic reflect.Type   // of the rest, nil if there is none
	manual   bool
}

func bindReflect(fn any) (*binding, error) {
	sig := &signature{fn: reflect.ValueOf(fn)}
	if fn == nil || sig.fn.Kind() != reflect.Func || sig.fn.IsNil() {
		return nil, fmt.Errorf("%T is no function", fn)
	}
	t := sig.fn.Type()
	if t.NumIn() < 2 || t.In(0) != contextType || t.In(1) != socketType {
		return nil, fmt.Errorf("%v does not begin with (context.Context, *sioedge.Socket", t)
	}
	if t.NumOut() == 0 || t.Out(t.NumOut()-1) != errorType {
		return nil, fmt.Errorf("%v does not end with error", t)
	}
	for i := 2; i < t.NumIn(); i++ {
		last := i == t.NumIn()-1
		switch in := t.In(i); {
		case in == ackType && last:
			sig.manual = true
		case in == ackType:
			return nil, errors.New("an Ack is not the last parameter")
		case in == argsType && t.NumIn() > 3 && !(i == 2 && t.NumIn() == 4 && t.In(3) == ackType):
			return nil, errors.New("Args stands for all arguments: there are others beside it")
		case last && t.IsVariadic():
			sig.variadic = in.Elem()
		default:
			sig.params = append(sig.params, in)
		}
	}
	if sig.manual && t.NumOut() > 1 {
		return nil, errors.New("it has an Ack and results")
	}
	return &binding{manual: sig.manual, call: sig.call}, nil
}

func (sig *signature) call(ctx context.Context, s *Socket, args Args, ack Ack) (*pb.Payload, error) {
	var space [8]reflect.Value
	in := append(space[:0], reflect.ValueOf(ctx), reflect.ValueOf(s))
	in, err := sig.arguments(in, args)
	if err != nil {
		return nil, argumentError{err}
	}
	if sig.manual {
		in = append(in, reflect.ValueOf(ack))
	}
	out := sig.fn.Call(in)
	last := len(out) - 1
	if err, _ := out[last].Interface().(error); err != nil || sig.manual {
		return nil, err
	}
	results := make([]any, last)
	for i := range results {
		results[i] = out[i].Interface()
	}
	return encodeArgs(results)
}

// arguments decodes args behind the values in in.
func (sig *signature) arguments(in []reflect.Value, args Args) ([]reflect.Value, error) {
	rest := elements{args.JSON, 0}
	for i, t := range sig.params {
		if t == argsType {
			return append(in, reflect.ValueOf(args)), nil
		}
		v := reflect.New(t)
		if raw, ok := rest.next(); ok {
			if err := args.decode(raw, v); err != nil {
				return nil, fmt.Errorf("argument %d: %w", i+1, err)
			}
		}
		in = append(in, v.Elem())
	}
	if sig.variadic == nil {
		return in, nil
	}
	for raw, ok := rest.next(); ok; raw, ok = rest.next() {
		v := reflect.New(sig.variadic)
		if err := args.decode(raw, v); err != nil {
			return nil, fmt.Errorf("argument %d: %w", len(in)-1, err)
		}
		in = append(in, v.Elem())
	}
	return in, nil
}
