package nonblock

import (
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func pair(t *testing.T) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return fds[0], fds[1]
}

func TestCalls(t *testing.T) {
	a, b := pair(t)
	buf := make([]byte, 8)
	if n, errno := Recv(b, buf); n != 0 || errno != syscall.EAGAIN {
		t.Errorf("nothing is there: %d, %v", n, errno)
	}
	if n, errno := Send(a, []byte("0123456789"), 0); n != 10 || errno != 0 {
		t.Errorf("%d, %v", n, errno)
	}
	for _, want := range []string{"01234567", "89"} {
		if n, errno := Recv(b, buf); string(buf[:n]) != want || errno != 0 {
			t.Errorf("%q, %v", buf[:n], errno)
		}
	}
	much := make([]byte, 16<<20)
	if n, errno := Send(a, much, 0); n == 0 || n == len(much) || errno != 0 {
		t.Errorf("more than there is room for: %d, %v", n, errno)
	}
	if n, errno := Send(a, much, 0); n != 0 || errno != syscall.EAGAIN {
		t.Errorf("there is no room: %d, %v", n, errno)
	}
	unix.Shutdown(b, unix.SHUT_RDWR)
	if n, errno := Send(a, buf, 0); n != 0 || errno != syscall.EPIPE {
		t.Errorf("nobody is there: %d, %v", n, errno)
	}
	if n, errno := Recv(a, buf); n != 0 || errno != 0 {
		t.Errorf("the end: %d, %v", n, errno)
	}
}

// TestWhoReadsComesAfterWhoHasWritten: the race detector knows that, as of any other call, whatever
// makes the calls at the two ends.
func TestWhoReadsComesAfterWhoHasWritten(t *testing.T) {
	recv := func(fd int, b []byte) bool { n, _ := Recv(fd, b); return n > 0 }
	read := func(fd int, b []byte) bool { n, _ := syscall.Read(fd, b); return n > 0 }
	send := func(fd int, b []byte) { Send(fd, b, 0) }
	write := func(fd int, b []byte) { syscall.Write(fd, b) }
	for name, c := range map[string]struct {
		send func(int, []byte)
		recv func(int, []byte) bool
	}{
		"both": {send, recv},
		"sent": {send, read},
		"read": {write, recv},
	} {
		a, b := pair(t)
		shared := 0
		done := make(chan struct{})
		go func() {
			shared = 1
			c.send(a, []byte("x"))
			<-done
		}()
		for deadline := time.Now().Add(5 * time.Second); !c.recv(b, make([]byte, 1)); {
			if time.Now().After(deadline) {
				t.Fatalf("%s: nothing comes", name)
			}
		}
		if shared != 1 {
			t.Errorf("%s: %d", name, shared)
		}
		close(done)
	}
}
