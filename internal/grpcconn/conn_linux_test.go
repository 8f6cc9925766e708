package grpcconn

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
)

// pair is the two ends of a TCP connection.
func pair(t *testing.T) (wrapped net.Conn, peer *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialed, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	wrapped = wrap(dialed)
	t.Cleanup(func() { wrapped.Close(); accepted.Close() })
	return wrapped, accepted.(*net.TCPConn)
}

// What does not fit is written when there is room, and all of it arrives.
func TestWriteWaitsForRoom(t *testing.T) {
	c, peer := pair(t)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 2<<20) // 32 MiB
	wrote := make(chan error, 1)
	go func() {
		n, err := c.Write(sent)
		if err == nil && n != len(sent) {
			err = io.ErrShortWrite
		}
		wrote <- err
		c.Close()
	}()
	got, err := io.ReadAll(peer)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d of %d bytes, %v", len(got), len(sent), err)
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}

func TestRead(t *testing.T) {
	c, peer := pair(t)
	buf := make([]byte, 8)
	peer.Write([]byte("0123456789"))
	for _, want := range []string{"01234567", "89"} {
		if n, err := c.Read(buf); err != nil || string(buf[:n]) != want {
			t.Errorf("%q, %v", buf[:n], err)
		}
	}
	if n, err := c.Read(nil); n != 0 || err != nil {
		t.Errorf("of nothing: %d, %v", n, err)
	}
	peer.CloseWrite()
	if n, err := c.Read(buf); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
}

func TestErrors(t *testing.T) {
	c, peer := pair(t)
	buf := make([]byte, 8)

	c.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := c.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	much := make([]byte, 64<<20)
	c.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	if n, err := c.Write(much); !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n >= len(much) {
		t.Errorf("more than anybody takes: wrote %d, %v", n, err)
	}

	c.SetDeadline(time.Time{})
	peer.SetLinger(0)
	peer.Close()
	if _, err := c.Read(buf); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("of a peer that broke off: %v", err)
	}
	if _, err := c.Write(buf); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("to a peer that broke off: %v", err)
	}

	c, _ = pair(t)
	failed := make(chan error, 1)
	go func() { _, err := c.Read(buf); failed <- err }()
	c.Close()
	if err := <-failed; !errors.Is(err, net.ErrClosed) {
		t.Errorf("of one that was closed: %v", err)
	}
	if _, err := c.Write(buf); !errors.Is(err, net.ErrClosed) {
		t.Errorf("to one that was closed: %v", err)
	}
}

// counted is a pool that knows how many of its buffers are out.
type counted struct {
	mem.BufferPool
	out atomic.Int32
}

func (p *counted) Get(n int) *[]byte {
	p.out.Add(1)
	return p.BufferPool.Get(n)
}

func (p *counted) Put(b *[]byte) {
	p.out.Add(-1)
	p.BufferPool.Put(b)
}

// A connection on which nothing comes holds no buffer.
func TestReadOnReady(t *testing.T) {
	c, peer := pair(t)
	pool := &counted{BufferPool: mem.DefaultBufferPool()}
	reader := c.(interface {
		ReadOnReady(int, mem.BufferPool) (*[]byte, int, error)
	})
	type result struct {
		text string
		err  error
	}
	results := make(chan result)
	go func() {
		for {
			buf, n, err := reader.ReadOnReady(1<<10, pool)
			if err != nil {
				results <- result{"", err}
				return
			}
			text := string((*buf)[:n])
			pool.Put(buf)
			results <- result{text, nil}
		}
	}()
	for _, text := range []string{"one", "two"} {
		peer.Write([]byte(text))
		if got := <-results; got.text != text {
			t.Errorf("%+v", got)
		}
	}
	for deadline := time.Now().Add(5 * time.Second); pool.out.Load() != 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%d buffers are held", pool.out.Load())
		}
	}
	peer.CloseWrite()
	if got := <-results; got.err != io.EOF || pool.out.Load() != 0 {
		t.Errorf("at the end: %v, %d buffers are held", got.err, pool.out.Load())
	}
}

// TestNothingIsAllocated: reading and writing are on the way of every message.
func TestNothingIsAllocated(t *testing.T) {
	c, peer := pair(t)
	out, in := []byte("some message"), make([]byte, 64)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := c.Write(out); err != nil {
			t.Fatal(err)
		}
		n, err := peer.Read(in)
		if err == nil {
			_, err = peer.Write(in[:n])
		}
		if err == nil {
			_, err = c.Read(in)
		}
		if err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestOnlyTCPIsWrapped(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	if wrap(a) != a {
		t.Error("a pipe was wrapped")
	}
}

// watched keeps what it accepts.
type watched struct {
	net.Listener
	accepted chan *net.TCPConn
}

func (l watched) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err == nil {
		l.accepted <- nc.(*net.TCPConn)
	}
	return nc, err
}

// TestGRPC: calls work, in the clear and encrypted, and the kernel gives up on a peer that has gone
// as soon as gRPC wants it to.
func TestGRPC(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate
	defer web.Close()
	for name, c := range map[string][2]credentials.TransportCredentials{
		"plain": {insecure.NewCredentials(), insecure.NewCredentials()},
		"tls": {credentials.NewTLS(&tls.Config{Certificates: web.TLS.Certificates}),
			credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})},
	} {
		t.Run(name, func(t *testing.T) {
			inner, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			l := watched{inner, make(chan *net.TCPConn, 1)}
			const patience = 7 * time.Second
			server := grpc.NewServer(grpc.Creds(Credentials(c[0])), grpc.KeepaliveParams(keepalive.ServerParameters{Timeout: patience}))
			healthpb.RegisterHealthServer(server, health.NewServer())
			served := make(chan error, 1)
			go func() { served <- server.Serve(l) }()
			defer func() { server.Stop(); <-served }()
			client, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(Credentials(c[1])))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			answer, err := healthpb.NewHealthClient(client).Check(ctx, new(healthpb.HealthCheckRequest))
			if err != nil || answer.Status != healthpb.HealthCheckResponse_SERVING {
				t.Fatal(answer, err)
			}
			raw, err := (<-l.accepted).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			raw.Control(func(fd uintptr) {
				ms, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
				if err != nil || ms != int(patience.Milliseconds()) {
					t.Errorf("the kernel waits for %d ms, %v", ms, err)
				}
			})
		})
	}
}

// TestOthersRunWhileAMessageIsHandled: with one processor, in a process that was idle. The runtime
// has then nobody awake who would interrupt the one who has read.
func TestOthersRunWhileAMessageIsHandled(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	c, peer := pair(t)
	file, err := peer.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	another := exec.Command("sh", "-c", "sleep 0.1; echo") // nothing happens in this process until then
	another.Stdout = file
	if err := another.Start(); err != nil {
		t.Fatal(err)
	}
	call := make(chan struct{}, 1)
	var heard atomic.Bool
	var somebody sync.WaitGroup
	somebody.Go(func() { <-call; heard.Store(true) })
	if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	call <- struct{}{}
	for began := time.Now(); !heard.Load(); {
		if time.Since(began) > 3*time.Second {
			t.Fatal("nobody else got the processor")
		}
	}
	somebody.Wait()
	if err := another.Wait(); err != nil {
		t.Error(err)
	}
}

// Who gives no credentials hears it from gRPC.
func TestNoCredentials(t *testing.T) {
	client, err := grpc.NewClient("localhost:1", grpc.WithTransportCredentials(Credentials(nil)))
	if err == nil {
		client.Close()
		t.Error("nobody says that there are no credentials")
	}
}
