package store

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/sio-edge/sio-edge/test/disk"
)

// drive is a disk that writes down everything that is done to it, so that a test can tell what a
// power cut would have left, and fails when it is told to. It is served by a process of its own.
type drive struct {
	dir  string
	link *rpc.Client
	ops  []disk.Op // what is known of them here
}

// driver is the other process.
type driver struct {
	mu    sync.Mutex // guards the following
	ops   []disk.Op
	fault Fault
	count [disk.Kinds]int
	room  [2]uint64 // total and free
}

// Fault makes the ops of a kind fail: from the From-th on, Times of them.
type Fault struct {
	Kind  disk.Kind
	Errno syscall.Errno // 0: nothing fails
	From  int
	Times int
}

// ask writes an op down and says what the system call returns.
func (d *driver) ask(o disk.Op) syscall.Errno {
	o.Data = bytes.Clone(o.Data)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count[o.Kind]++
	n := d.count[o.Kind]
	if f := d.fault; f.Errno != 0 && f.Kind == o.Kind && n >= f.From && n < f.From+f.Times {
		if o.Kind == disk.Sync || o.Kind == disk.SyncDir {
			o.Failed = true
			d.ops = append(d.ops, o)
		}
		return f.Errno
	}
	d.ops = append(d.ops, o)
	return 0
}

func (d *driver) statfs() (total, free uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.room[0], d.room[1]
}

// Drive is what the test asks of the process.
type Drive struct{ d *driver }

// Fail is for drive.fail.
func (r *Drive) Fail(f Fault, _ *int) error {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	r.d.fault, r.d.count = f, [disk.Kinds]int{}
	return nil
}

// Room is for drive.room.
func (r *Drive) Room(room [2]uint64, _ *int) error {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	r.d.room = room
	return nil
}

// Now is for drive.now.
func (r *Drive) Now(_ int, n *int) error {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	*n = len(r.d.ops)
	return nil
}

// Ops returns the ops from one on.
func (r *Drive) Ops(from int, ops *[]disk.Op) error {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	*ops = r.d.ops[from:]
	return nil
}

func (d *drive) call(method string, arg, reply any) {
	if err := d.link.Call("Drive."+method, arg, reply); err != nil {
		panic(err)
	}
}

func (d *drive) fail(f Fault) { d.call("Fail", f, new(int)) }

func (d *drive) heal() { d.fail(Fault{}) }

func (d *drive) setRoom(total, free uint64) { d.call("Room", [2]uint64{total, free}, new(int)) }

// now is the position in the record of ops.
func (d *drive) now() (n int) {
	d.call("Now", 0, &n)
	return n
}

const driveEnv = "SIOEDGE_TEST_DRIVE"

func init() { roles[driveEnv] = serveDrive }

type stdio struct {
	io.Reader
	io.WriteCloser
}

// mountDisk starts a disk. The test is skipped where that is not allowed.
func mountDisk(t testing.TB) *drive {
	t.Helper()
	d := &drive{dir: t.TempDir()}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), driveEnv+"="+d.dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	ready := make([]byte, 1)
	if _, err := io.ReadFull(out, ready); err != nil || ready[0] != '+' {
		t.Skip("this system does not let the test mount a file system")
	}
	d.link = rpc.NewClient(stdio{out, in})
	t.Cleanup(func() { d.link.Close() })
	return d
}

// serveDrive is the process: it serves until its input ends.
func serveDrive(dir string) {
	d := &driver{}
	mount := &disk.Disk{Ask: d.ask, Room: d.statfs}
	if mount.Mount(dir) != nil {
		os.Stdout.WriteString("-")
		return
	}
	os.Stdout.WriteString("+")
	r := rpc.NewServer()
	r.Register(&Drive{d})
	r.ServeConn(stdio{os.Stdin, os.Stdout})
	mount.Unmount(dir)
}

// upTo sees to it that so many ops are known here.
func (d *drive) upTo(ops int) {
	if len(d.ops) < ops {
		var more []disk.Op
		d.call("Ops", len(d.ops), &more)
		d.ops = append(d.ops, more...)
	}
}

// cut returns what a power cut after the first ops leaves in a directory of the real file system:
// all that was synced, and a random part of the rest. lost is how much of the rest is lost: 1 is
// everything.
func (d *drive) cut(t testing.TB, ops int, grain int64, lost float64, r *rand.Rand) (dir string) {
	t.Helper()
	d.upTo(ops)
	p := disk.NewPlatter(grain, nil)
	for _, o := range d.ops[:ops] {
		p.Do(o)
	}
	dir = t.TempDir()
	for _, f := range p.Cut(lost, r) {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
