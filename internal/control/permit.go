package control

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sio-edge/sio-edge/internal/control/access"
	"github.com/sio-edge/sio-edge/internal/control/convert"
	"github.com/sio-edge/sio-edge/internal/control/group"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// grant is what the caller of ctx may do.
func (s *Server) grant(ctx context.Context) *access.Grant {
	if s.cfg.Access == nil {
		return access.Everybody()
	}
	return access.From(ctx)
}

// denied tells of a denial and returns it.
func (s *Server) denied(g *access.Grant, err error) error {
	s.cfg.Access.Denied(g, err)
	return err
}

// mayAttach says whether a backend may be a member of its group: it must be allowed what the group
// is to get, and what the group got until now, for some of that may still wait.
func (s *Server) mayAttach(g *access.Grant, h *group.Hello) error {
	if g.Everything() {
		return nil
	}
	namespaces := s.groups.Routed(h.Group)
	for _, r := range h.Spec.Routes {
		namespaces = append(namespaces, r.Namespace)
	}
	if len(h.Spec.Routes) == 0 {
		namespaces = append(namespaces, "/")
	}
	if err := g.Attach(h.Group, namespaces); err != nil {
		return s.denied(g, err)
	}
	return nil
}

// hears refuses what the group gets of a namespace because another member has asked for it.
func (st *stream) hears(namespace string) error {
	if st.grant.In(namespace)&access.Backend != 0 {
		return nil
	}
	return st.srv.denied(st.grant, st.grant.Attach(st.name, []string{namespace}))
}

// sees says whether the caller may see sessions of a namespace, and whether without what is
// withheld. One that it may not see looks as if it were not there.
func (s *Server) sees(ctx context.Context, namespace string) (whole bool, err error) {
	g := s.grant(ctx)
	seen, whole := g.Sees(namespace)
	if !seen {
		return false, s.denied(g, convert.Status(socketio.UnknownNamespace(namespace)).Err())
	}
	return whole, nil
}

// session is the message for a session, whole or without what is withheld.
func session(k *socketio.Session, whole bool) *pb.Session {
	m := convert.Session(k)
	if !whole {
		convert.Withhold(m)
	}
	return m
}

// operation names what a command does, by its field, and where. "" if it does nothing.
func operation(cmd *pb.Command) (op protoreflect.Name, namespace string) {
	switch o := cmd.Op.(type) {
	case *pb.Command_Emit:
		return "emit", o.Emit.GetTarget().GetNamespace()
	case *pb.Command_Join:
		return "join", o.Join.GetTarget().GetNamespace()
	case *pb.Command_Leave:
		return "leave", o.Leave.GetTarget().GetNamespace()
	case *pb.Command_Disconnect:
		return "disconnect", o.Disconnect.GetTarget().GetNamespace()
	case *pb.Command_Update:
		return "update", o.Update.GetNamespace()
	case *pb.Command_Tell:
		return "tell", o.Tell.GetNamespace()
	case *pb.Command_Answer:
		return "answer", ""
	}
	return "", ""
}

// permit says whether the caller may do a command. What it may not know of looks as if it were not
// there.
func (c *commands) permit(cmd *pb.Command) error {
	op, namespace := operation(cmd)
	if op == "" || op == "answer" || c.grant.Everything() {
		return nil // to answer takes a stream, on which the caller was told
	}
	known, err := c.grant.Does(op, namespace)
	if !known {
		err = convert.Status(socketio.UnknownNamespace(namespace)).Err()
	}
	if tell := cmd.GetTell(); tell.GetGroup() != "" && err == nil && c.grant.Attach(tell.Group, c.srv.groups.Routed(tell.Group)) != nil {
		err = convert.Status(unknownGroup(tell)).Err()
	}
	if err != nil {
		return c.srv.denied(c.grant, err)
	}
	return nil
}

// confine keeps a command that is permitted to the namespaces of the caller.
func (c *commands) confine(op socketio.Command) {
	switch op := op.(type) {
	case *socketio.Emit:
		op.ID = c.key(op.ID)
	case *socketio.Disconnect:
		op.Within = func(namespace string) bool {
			known, err := c.grant.Does("disconnect", namespace)
			return known && err == nil
		}
	}
}

// key is a command_id as the edge remembers it: callers do not meet in each other's.
func (c *commands) key(id string) string {
	if id == "" || c.grant.Name == "" {
		return id
	}
	return c.grant.Name + "\x00" + id
}

// auditCommand notes what was done by somebody who looks after the edge.
func (c *commands) auditCommand(cmd *pb.Command, r *pb.CommandResult) {
	op, namespace := operation(cmd)
	if op != "" && c.grant.Only(access.Admin, op, namespace) {
		c.srv.cfg.Audit.Info("command", "caller", c.grant.Name, "command", string(op), "namespace", namespace, "changed", r.Receipt.GetWritten(), "code", r.Status.GetCode())
	}
}

// auditUnary notes the calls that the table says are to be noted, with what they asked for.
func (s *Server) auditUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if !access.Audited(info.FullMethod) {
		return next(ctx, req)
	}
	resp, err := next(ctx, req)
	s.auditCall(ctx, info.FullMethod, req, err)
	return resp, err
}

func (s *Server) auditCall(ctx context.Context, method string, req any, err error) {
	asked, _ := protojson.Marshal(req.(proto.Message)) // made from bytes, so it can be written
	caller := s.grant(ctx).Name
	if caller == "" {
		caller = "anybody on this machine"
	}
	attrs := []any{"caller", caller, "method", method, "request", string(asked)}
	if err != nil {
		attrs = append(attrs, "error", err.Error())
	}
	s.cfg.Audit.Info("call", attrs...)
}
