package control

import (
	"context"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// maxJSON bounds the body of a request, in bytes.
const maxJSON = 4 << 20

// MountJSON serves the unary methods over plain HTTP: POST /sioedge.v1.CommandService/Execute with
// a JSON body, so that curl is an SDK. It belongs on a listener that only friends can reach.
func (s *Server) MountJSON(mux *http.ServeMux) {
	mount(s, mux, pb.CommandService_Execute_FullMethodName, s.Execute)
	mount(s, mux, pb.SessionService_GetSession_FullMethodName, s.GetSession)
	mount(s, mux, pb.SessionService_ListSessions_FullMethodName, s.ListSessions)
	mount(s, mux, pb.SessionService_CountSessions_FullMethodName, s.CountSessions)
	mount(s, mux, pb.SessionService_ListRooms_FullMethodName, s.ListRooms)
	mount(s, mux, pb.AdminService_GetEdge_FullMethodName, s.GetEdge)
	mount(s, mux, pb.AdminService_ListGroups_FullMethodName, s.ListGroups)
	mount(s, mux, pb.AdminService_ListDeadLetters_FullMethodName, s.ListDeadLetters)
	mount(s, mux, pb.AdminService_RedriveDeadLetters_FullMethodName, s.RedriveDeadLetters)
	mount(s, mux, pb.AdminService_SeekGroup_FullMethodName, s.SeekGroup)
	mount(s, mux, pb.AdminService_PauseGroup_FullMethodName, s.PauseGroup)
	mount(s, mux, pb.AdminService_ResumeGroup_FullMethodName, s.ResumeGroup)
	mount(s, mux, pb.AdminService_ListSlowClients_FullMethodName, s.ListSlowClients)
	mount(s, mux, pb.AdminService_ListRefusals_FullMethodName, s.ListRefusals)
	mount(s, mux, pb.AdminService_Drain_FullMethodName, s.Drain)
}

func mount[Req, Resp any, R interface {
	*Resp
	proto.Message
}](s *Server, mux *http.ServeMux, method string, f func(context.Context, *Req) (R, error)) {
	mux.Handle(method, connect.NewUnaryHandler(method, func(ctx context.Context, req *connect.Request[Req]) (*connect.Response[Resp], error) {
		resp, err := s.callJSON(ctx, method, req.Msg, func(ctx context.Context, _ any) (any, error) { return f(ctx, req.Msg) })
		if err != nil {
			return nil, connectError(err)
		}
		return connect.NewResponse((*Resp)(resp.(R))), nil
	}, connect.WithReadMaxBytes(maxJSON), connect.WithCodec(strictJSON{}), connect.WithCompression("gzip", nil, nil)))
}

// callJSON does around a call what the interceptors of the control listener do.
func (s *Server) callJSON(ctx context.Context, method string, req any, next grpc.UnaryHandler) (any, error) {
	info := &grpc.UnaryServerInfo{Server: s, FullMethod: method}
	return s.recoverUnary(ctx, req, info, func(ctx context.Context, req any) (any, error) {
		return s.auditUnary(ctx, req, info, next)
	})
}

// connectError carries the code and the details of a gRPC status over; the codes are the same.
func connectError(err error) error {
	st := status.Convert(err)
	e := connect.NewError(connect.Code(st.Code()), errorText(st.Message()))
	for _, d := range st.Proto().GetDetails() {
		if detail, err := connect.NewErrorDetail(d); err == nil {
			e.AddDetail(detail)
		}
	}
	return e
}

type errorText string

func (e errorText) Error() string { return string(e) }

// strictJSON refuses fields that do not exist: a misspelt one must not mean something else.
type strictJSON struct{}

// Name implements connect.Codec.
func (strictJSON) Name() string { return "json" }

// Marshal implements connect.Codec.
func (strictJSON) Marshal(m any) ([]byte, error) { return protojson.Marshal(m.(proto.Message)) }

// Unmarshal implements connect.Codec.
func (strictJSON) Unmarshal(b []byte, m any) error {
	if len(b) == 0 {
		return nil
	}
	return protojson.Unmarshal(b, m.(proto.Message))
}
