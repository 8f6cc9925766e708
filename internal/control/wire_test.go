package control_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// h2 speaks HTTP/2 with the control listener frame by frame, as no client of gRPC does.
type h2 struct {
	t      *testing.T
	conn   net.Conn
	framer *http2.Framer
	enc    *hpack.Encoder
	block  bytes.Buffer
	next   uint32 // stream
}

// raw opens a connection as a caller.
func (g *guarded) raw(t *testing.T, caller string) *h2 {
	t.Helper()
	c := g.tls(t, g.ca, caller, time.Hour)
	c.NextProtos = []string{"h2"}
	conn, err := tls.Dial("tcp", g.addr, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	h := &h2{t: t, conn: conn, framer: http2.NewFramer(conn, conn), next: 1}
	h.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	h.enc = hpack.NewEncoder(&h.block)
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(conn, http2.ClientPreface)
	h.framer.WriteSettings()
	return h
}

func (h *h2) headers(path string, end bool, more ...string) (stream uint32) {
	h.block.Reset()
	fields := append([]string{":method", "POST", ":scheme", "https", ":path", path, ":authority", "edge", "content-type", "application/grpc", "te", "trailers"}, more...)
	for i := 0; i < len(fields); i += 2 {
		h.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	stream = h.next
	h.next += 2
	h.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: h.block.Bytes(), EndHeaders: true, EndStream: end})
	return stream
}

// body is a message as gRPC frames it.
func body(m []byte) []byte {
	return append([]byte{0, byte(len(m) >> 24), byte(len(m) >> 16), byte(len(m) >> 8), byte(len(m))}, m...)
}

// status waits for the end of a stream: grpc-status and its message, or what ended it otherwise.
func (h *h2) status(stream uint32) (code, message string) {
	h.t.Helper()
	for {
		f, err := h.framer.ReadFrame()
		if err != nil {
			return "closed", err.Error()
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamID != stream || !f.StreamEnded() {
				continue
			}
			for _, field := range f.Fields {
				switch field.Name {
				case "grpc-status":
					code = field.Value
				case "grpc-message":
					message = field.Value
				}
			}
			return code, message
		case *http2.RSTStreamFrame:
			if f.StreamID == stream {
				return "reset", f.ErrCode.String()
			}
		case *http2.GoAwayFrame:
			return "goaway", f.ErrCode.String() + " " + string(f.DebugData())
		}
	}
}

// works says whether the listener still answers others.
func (g *guarded) works(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := pb.NewAdminServiceClient(g.conn).GetEdge(ctx, &pb.GetEdgeRequest{}); err != nil {
		t.Errorf("another caller: %v", err)
	}
}

// Only the path of a method, to the letter, is that method; what a caller says of itself counts
// for nothing.
func TestG2_PathsAndMetadata(t *testing.T) {
	g := newGuarded(t)
	seek, _ := proto.Marshal(&pb.SeekGroupRequest{Group: "chat", Position: &pb.SeekGroupRequest_Latest{Latest: true}})
	for _, c := range []struct {
		name, caller, path string
		more               []string
		want               string
	}{
		{"as it is", "ops", "/sioedge.v1.AdminService/SeekGroup", nil, "5"}, // no such group
		{"as it is, by another role", "watch", "/sioedge.v1.AdminService/SeekGroup", nil, "7"},
		{"no leading slash", "watch", "sioedge.v1.AdminService/SeekGroup", nil, "12"},
		{"two slashes", "watch", "//sioedge.v1.AdminService/SeekGroup", nil, "12"},
		{"upper case", "watch", "/SIOEDGE.V1.AdminService/SeekGroup", nil, "12"},
		{"lower case", "watch", "/sioedge.v1.AdminService/seekgroup", nil, "12"},
		{"escaped", "watch", "/sioedge.v1.AdminService%2FSeekGroup", nil, "12"},
		{"a query", "watch", "/sioedge.v1.AdminService/SeekGroup?x", nil, "12"},
		{"dots", "watch", "/x/../sioedge.v1.AdminService/SeekGroup", nil, "12"},
		{"unknown", "watch", "/sioedge.v1.AdminService/Fly", nil, "12"},
		{"a role of its own", "watch", "/sioedge.v1.AdminService/SeekGroup", []string{"x-role", "admin", "grpc-role", "admin", "role", "admin"}, "7"},
		{"two tokens", "watch", "/sioedge.v1.AdminService/SeekGroup", []string{"authorization", "Bearer a", "authorization", "Bearer b"}, "7"},
		{"another scheme", "", "/sioedge.v1.AdminService/SeekGroup", []string{"authorization", "Basic " + cronToken}, "16"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := g.raw(t, c.caller)
			stream := h.headers(c.path, false, c.more...)
			h.framer.WriteData(stream, true, body(seek))
			if code, message := h.status(stream); code != c.want {
				t.Errorf("%s %s, want %s", code, message, c.want)
			}
		})
	}
	h := g.raw(t, "watch") // a header in upper case breaks HTTP/2
	stream := h.headers("/sioedge.v1.AdminService/SeekGroup", false, "X-Role", "admin")
	if code, _ := h.status(stream); code == "0" || code == "5" {
		t.Errorf("an upper-case header: %s", code)
	}
}

// Messages that are too large, too deep or no protobuf end their call and nothing else.
func TestG3_MessagesThatAreBombs(t *testing.T) {
	g := newGuarded(t)
	deep := func() []byte { // ListValue.values in Value.list_value in ListValue.values …
		const depth = 12_000 // of fields; protobuf allows 10,000 messages
		sizes := make([]int, depth+1)
		for i := range depth {
			sizes[i+1] = 1 + protowire.SizeBytes(sizes[i])
		}
		var m []byte
		for i := depth; i > 0; i-- {
			field := protowire.Number(1)
			if i%2 == 1 {
				field = 6
			}
			m = protowire.AppendVarint(protowire.AppendTag(m, field, protowire.BytesType), uint64(sizes[i-1]))
		}
		return m
	}
	command := func(emit []byte) []byte {
		c := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), emit) // Command.emit
		return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), c)  // ExecuteRequest.commands
	}
	unknown := make([]byte, 0, 4<<20)
	for len(unknown) < 3<<20 {
		unknown = protowire.AppendVarint(protowire.AppendTag(unknown, 1000, protowire.VarintType), 1)
	}
	var groups []byte
	for range 20_000 {
		groups = protowire.AppendTag(groups, 1000, protowire.StartGroupType)
	}
	for range 20_000 {
		groups = protowire.AppendTag(groups, 1000, protowire.EndGroupType)
	}
	for name, c := range map[string]struct {
		message []byte
		want    string // grpc-status
	}{
		"above the limit":   {make([]byte, 8<<20+1), "8"},
		"nested":            {command(protowire.AppendBytes(protowire.AppendTag(nil, 4, protowire.BytesType), deep())), "13"},
		"groups":            {groups, "13"},
		"invalid UTF-8":     {command(protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), []byte{0xff, 0xfe})), "13"},
		"cut short":         {protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.BytesType), 1<<30), "13"},
		"unknown fields":    {unknown, "0"}, // taken, and forgotten
		"a length for ever": {[]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, "13"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := g.as(t, "chat")
			var got codes.Code
			err := conn.Invoke(g.context(), pb.CommandService_Execute_FullMethodName, rawMessage(c.message), &pb.ExecuteResponse{},
				grpc.ForceCodec(rawCodec{}), grpc.MaxCallSendMsgSize(16<<20))
			got = status.Code(err)
			want := map[string]codes.Code{"0": codes.OK, "8": codes.ResourceExhausted, "13": codes.Internal}[c.want]
			if got != want {
				t.Errorf("%v, want %v", err, want)
			}
			if _, err := pb.NewCommandServiceClient(conn).Execute(g.context(), &pb.ExecuteRequest{}); err != nil {
				t.Errorf("the next call on the connection: %v", err)
			}
		})
	}
}

type rawMessage []byte

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) ([]byte, error) { return v.(rawMessage), nil }

func (rawCodec) Unmarshal(b []byte, v any) error { return proto.Unmarshal(b, v.(proto.Message)) }

// Nothing is decompressed: neither for gRPC nor for the JSON calls.
func TestG4_CompressionIsRefused(t *testing.T) {
	g := newGuarded(t)
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(make([]byte, 1<<20))
	z.Close()
	for _, encoding := range []string{"gzip", "deflate", "snappy", "zstd"} {
		h := g.raw(t, "watch")
		stream := h.headers("/sioedge.v1.AdminService/GetEdge", false, "grpc-encoding", encoding)
		m := body(bomb.Bytes())
		m[0] = 1 // compressed
		h.framer.WriteData(stream, true, m)
		want := "12 grpc: Decompressor is not installed for grpc-encoding " + `"` + encoding + `"`
		if encoding == "gzip" {
			want = "13 grpc: failed to decompress the received message: the edge takes no compressed messages"
		}
		if code, message := h.status(stream); code+" "+message != want {
			t.Errorf("%s: %s %s", encoding, code, message)
		}
		code, answer := g.http(t, g.tls(t, g.ca, "watch", time.Hour), "POST", "/sioedge.v1.AdminService/GetEdge", "", "Content-Encoding", encoding)
		if code != 501 && code != 415 {
			t.Errorf("JSON, %s: %d %s", encoding, code, answer)
		}
	}
}

// A call has at most 16 KiB of metadata.
func TestG5_MetadataIsBounded(t *testing.T) {
	g := newGuarded(t)
	admin := pb.NewAdminServiceClient(g.as(t, "watch"))
	for size, want := range map[int]bool{8 << 10: true, 32 << 10: false, 1 << 20: false} {
		ctx := metadata.AppendToOutgoingContext(g.context(), "x", strings.Repeat("x", size))
		if _, err := admin.GetEdge(ctx, &pb.GetEdgeRequest{}); (err == nil) != want {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	g.works(t)
}

// What HTTP/2 lets a peer do again and again has a bound, and costs nobody else anything.
func TestG6_FloodsAreBounded(t *testing.T) {
	g := newGuarded(t)
	g.works(t)
	settle := func() int {
		runtime.GC()
		return runtime.NumGoroutine()
	}
	before := settle()
	// reads throws away what comes back and says how the connection ended.
	reads := func(h *h2) chan string {
		end := make(chan string, 1)
		go func() {
			for {
				f, err := h.framer.ReadFrame()
				if err != nil {
					end <- err.Error()
					return
				}
				if away, ok := f.(*http2.GoAwayFrame); ok {
					end <- away.ErrCode.String() + " " + string(away.DebugData())
					io.Copy(io.Discard, h.conn)
					return
				}
			}
		}()
		return end
	}
	flood := func(name string, closes bool, n int, send func(h *h2, i int) error) {
		t.Run(name, func(t *testing.T) {
			h := g.raw(t, "watch")
			end := reads(h)
			for i := range n {
				if err := send(h, i); err != nil {
					break
				}
			}
			g.works(t)
			select {
			case why := <-end:
				if !closes {
					t.Errorf("the connection ended: %s", why)
				}
			case <-time.After(200 * time.Millisecond):
				if closes {
					select {
					case <-end:
					case <-time.After(10 * time.Second):
						t.Error("the connection is still there")
					}
				}
			}
			h.conn.Close()
			eventually(t, "the goroutines are back", func() bool { return settle() <= before+10 })
		})
	}
	flood("rapid reset", false, 20_000, func(h *h2, i int) error {
		return h.framer.WriteRSTStream(h.headers("/sioedge.v1.AdminService/TailEvents", false), http2.ErrCodeCancel)
	})
	flood("pings", true, 20_000, func(h *h2, i int) error { return h.framer.WritePing(false, [8]byte{1}) })
	flood("settings", false, 20_000, func(h *h2, i int) error { return h.framer.WriteSettings() })
	var stream uint32
	flood("tiny data", false, 20_000, func(h *h2, i int) error {
		if i == 0 {
			stream = h.headers("/sioedge.v1.CommandService/Execute", false)
		}
		return h.framer.WriteData(stream, false, []byte{0})
	})
	flood("empty data", false, 20_000, func(h *h2, i int) error {
		if i == 0 {
			stream = h.headers("/sioedge.v1.EventService/Subscribe", false)
		}
		return h.framer.WriteData(stream, false, nil)
	})
	flood("half-closed streams", false, 5_000, func(h *h2, i int) error {
		h.headers("/sioedge.v1.AdminService/GetEdge", true)
		return nil
	})
	flood("calls without a caller", true, 5_000, func(h *h2, i int) error {
		h.headers("/sioedge.v1.AdminService/GetEdge", true, "authorization", "Bearer guess")
		if i > maxUnknown {
			_, err := h.conn.Write(nil)
			return err
		}
		return nil
	})
	t.Run("a hundred streams", func(t *testing.T) {
		h := g.raw(t, "ops")
		for range 100 {
			h.headers("/sioedge.v1.AdminService/TailEvents", false)
		}
		stream := h.headers("/sioedge.v1.AdminService/GetEdge", true)
		if code, why := h.status(stream); code != "reset" || why != "REFUSED_STREAM" {
			t.Errorf("one more: %s %s", code, why)
		}
	})
}

// maxUnknown is more than the calls that a connection may try without a caller.
const maxUnknown = 100

// A connection that never says anything is closed, and keeps nobody out meanwhile.
func TestG6_SilentConnections(t *testing.T) {
	g := newGuarded(t)
	for range 200 {
		c, err := net.Dial("tcp", g.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	g.works(t)
}
