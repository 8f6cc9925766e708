package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// remote is how a subcommand reaches a running edge.
type remote struct {
	Control string        `default:"127.0.0.1:7070" env:"SIO_EDGE_CONTROL" placeholder:"HOST:PORT" help:"The edge's address for backends. Also SIO_EDGE_CONTROL."`
	Timeout time.Duration `default:"5s" help:"How long an answer may take."`
	JSON    bool          `name:"json" help:"Print JSON for programs, one value a line."`
	trust   `group:"A secured edge:"`
}

// call runs f with a connection to the edge, until f returns or somebody presses Ctrl-C. Its
// error says what to do when there is no edge.
func (r *remote) call(f func(context.Context, *grpc.ClientConn) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	options, err := r.options(r.Control)
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient(r.Control, options...)
	if err != nil {
		return usageError(fmt.Sprintf("--control %s: an address such as 127.0.0.1:7070", r.Control))
	}
	defer conn.Close()
	err = f(ctx, conn)
	if ctx.Err() != nil {
		return nil // Ctrl-C is how one says that it is enough
	}
	return r.explain(err)
}

// ask is call for what is answered once.
func (r *remote) ask(f func(context.Context, *grpc.ClientConn) error) error {
	return r.call(func(ctx context.Context, conn *grpc.ClientConn) error {
		ctx, cancel := context.WithTimeout(ctx, r.Timeout)
		defer cancel()
		return f(ctx, conn)
	})
}

// explain turns an error of a call into a sentence.
func (r *remote) explain(err error) error {
	st, ok := status.FromError(err)
	if err == nil || !ok {
		return err
	}
	switch st.Code() {
	case codes.Unavailable:
		if err := r.trust.explain(r.Control, st.Message()); err != nil {
			return err
		}
		if _, why, dialed := strings.Cut(st.Message(), "error while dialing: "); dialed || strings.Contains(st.Message(), "connection error") {
			return unreachable{fmt.Sprintf("no edge at %s%s: is it running? --control names another", r.Control, reason(why+st.Message()))}
		}
		return unreachable{fmt.Sprintf("edge at %s: %s", r.Control, st.Message())}
	case codes.DeadlineExceeded:
		return unreachable{fmt.Sprintf("edge at %s: no answer within %s", r.Control, r.Timeout)}
	case codes.Unauthenticated:
		return errNoCredential(r.Control, st.Message())
	case codes.Unimplemented:
		return fmt.Errorf("edge at %s: it is too old for this (%s)", r.Control, st.Message())
	}
	return errors.New(st.Message())
}

// reason finds the system's own words in the error of a dial.
func reason(text string) string {
	for _, known := range []string{"connection refused", "no such host", "no route to host", "i/o timeout", "permission denied"} {
		if strings.Contains(text, known) {
			return " (" + known + ")"
		}
	}
	return ""
}

// usageError is a command line that says nothing that can be done.
type usageError string

func (e usageError) Error() string { return string(e) }

// ExitCode is for exitCode.
func (usageError) ExitCode() int { return exitUsage }

// unreachable is an edge that cannot be asked.
type unreachable struct{ text string }

func (e unreachable) Error() string { return e.text }

// ExitCode is for exitCode.
func (unreachable) ExitCode() int { return exitUnreachable }

// selection is the flags that say which sessions are meant.
type selection struct {
	Namespace  string   `short:"n" default:"/" help:"Namespace."`
	Room       []string `short:"r" sep:"none" help:"Sessions in this room. May be repeated."`
	Sid        []string `short:"s" sep:"none" help:"This session; the short form that is printed will do. May be repeated."`
	User       []string `short:"u" sep:"none" help:"Sessions of this user. May be repeated."`
	Everyone   bool     `short:"a" help:"All sessions of the namespace."`
	ExceptRoom []string `sep:"none" help:"Not the sessions in this room. May be repeated."`
	ExceptSid  []string `sep:"none" help:"Not this session. May be repeated."`
}

// named says whether the flags name anybody.
func (s *selection) named() bool {
	return s.Everyone || len(s.Room)+len(s.Sid)+len(s.User) > 0
}

// target is the selection in the words of the contract. Nobody by default, for an edge must not
// take a forgotten flag for everyone.
func (s *selection) target(ctx context.Context, conn *grpc.ClientConn) (*pb.Target, error) {
	if !s.named() {
		return nil, usageError("whom? give --room, --sid, --user or --everyone")
	}
	return s.filter(ctx, conn)
}

// filter is target for questions: everyone by default.
func (s *selection) filter(ctx context.Context, conn *grpc.ClientConn) (*pb.Target, error) {
	t := &pb.Target{Namespace: s.Namespace, Rooms: s.Room, UserIds: s.User, Everyone: s.Everyone || !s.named(), ExceptRooms: s.ExceptRoom}
	var err error
	if t.Sids, err = s.whole(ctx, conn, s.Sid); err != nil {
		return nil, err
	}
	t.ExceptSids, err = s.whole(ctx, conn, s.ExceptSid)
	return t, err
}

// whole replaces shortened sids by those that they stand for.
func (s *selection) whole(ctx context.Context, conn *grpc.ClientConn, sids []string) ([]string, error) {
	var all []string
	for _, sid := range sids {
		head, tail, short := strings.Cut(sid, "…")
		if !short {
			all = append(all, sid)
			continue
		}
		var found []string
		err := eachSession(ctx, conn, &pb.Target{Namespace: s.Namespace, Everyone: true}, func(k *pb.Session) bool {
			if strings.HasPrefix(k.Sid, head) && strings.HasSuffix(k.Sid, tail) {
				found = append(found, k.Sid)
			}
			return true
		})
		switch {
		case err != nil:
			return nil, err
		case len(found) != 1:
			return nil, fmt.Errorf("%s: %s of %s look like this", sid, plural(uint64(len(found)), "session"), s.Namespace)
		}
		all = append(all, found[0])
	}
	return all, nil
}

// String says who is selected, as in "42 sockets in lobby".
func (s *selection) String() string {
	var parts []string
	if s.Everyone || !s.named() {
		parts = append(parts, "in "+s.Namespace)
	}
	if len(s.Room) > 0 {
		parts = append(parts, "in "+strings.Join(s.Room, ", "))
	}
	if len(s.User) > 0 {
		parts = append(parts, "of "+strings.Join(s.User, ", "))
	}
	if len(s.Sid) > 0 {
		var sids []string
		for _, sid := range s.Sid {
			sids = append(sids, shortID(sid))
		}
		parts = append(parts, "named "+strings.Join(sids, ", "))
	}
	text := strings.Join(parts, " or ")
	if s.Namespace != "/" && !s.Everyone && s.named() {
		text += " of " + s.Namespace
	}
	return text
}

// execute applies one command and returns what it did.
func execute(ctx context.Context, conn *grpc.ClientConn, cmd *pb.Command) (*pb.CommandResult, error) {
	resp, err := pb.NewCommandServiceClient(conn).Execute(ctx, &pb.ExecuteRequest{Commands: []*pb.Command{cmd}})
	if err != nil {
		return nil, err
	}
	r := resp.Results[0]
	if r.Status != nil {
		return nil, status.FromProto(r.Status).Err()
	}
	return r, nil
}

// change applies one command and prints what it did, in which %s stands for the sockets.
func (r *remote) change(s *selection, sentence string, make func(*pb.Target) *pb.Command) error {
	return r.ask(func(ctx context.Context, conn *grpc.ClientConn) error {
		t, err := s.target(ctx, conn)
		if err != nil {
			return err
		}
		result, err := execute(ctx, conn, make(t))
		if err != nil {
			return err
		}
		if r.JSON {
			return printJSON(os.Stdout, result)
		}
		note := ""
		if rest := result.Receipt.GetMatched() - result.Receipt.GetWritten(); rest > 0 {
			note = fmt.Sprintf(" (nothing to change for %s)", number(rest))
		}
		fmt.Printf("%s -> %s %s%s\n", sentence, plural(result.Receipt.GetWritten(), "socket"), s, note)
		return nil
	})
}
