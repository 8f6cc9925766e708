package store

import (
	"context"
	"io"
	"math/rand/v2"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// disk is a file system in memory under a real mount. It writes down everything that is done to
// it, so that a test can tell what a power cut would have left, and fails when it is told to.
//
// It is served by a process of its own: one that reads a map of a file of its own file system
// can wait for itself.
type disk struct {
	dir  string
	link *rpc.Client
	ops  []op // what is known of them here
}

// drive is the disk in its own process.
type drive struct {
	mu    sync.Mutex // guards the following
	ops   []op
	next  int // id of a file
	fault Fault
	count [opKinds]int
	room  [2]uint64 // total and free, of Statfs
}

// Fault makes the ops of a kind fail: from the From-th on, Times of them.
type Fault struct {
	Kind  opKind
	Errno syscall.Errno // 0: nothing fails
	From  int
	Times int
}

type opKind uint8

const (
	opWrite opKind = iota
	opTruncate
	opSync // of a file
	opName // create, rename, link, unlink
	opSyncDir
	opKinds
)

// op is something that was done to the disk.
type op struct {
	Kind   opKind
	File   int
	Off    int64
	Data   []byte
	Name   string // of opName: the file has it now
	Old    string // of opName: the file has it no more
	Failed bool   // of a sync
}

// note writes an op down and returns what the system call returns.
func (d *drive) note(o op) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count[o.Kind]++
	n := d.count[o.Kind]
	if f := d.fault; f.Errno != 0 && f.Kind == o.Kind && n >= f.From && n < f.From+f.Times {
		if o.Kind == opSync || o.Kind == opSyncDir {
			o.Failed = true
			d.ops = append(d.ops, o)
		}
		return f.Errno
	}
	d.ops = append(d.ops, o)
	return 0
}

// Drive is what the test asks of the process.
type Drive struct{ d *drive }

// Fail is for disk.fail.
func (r *Drive) Fail(f Fault, _ *int) error {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	r.d.fault, r.d.count = f, [opKinds]int{}
	return nil
}

// Room is for disk.room.
func (r *Drive) Room(room [2]uint64, _ *int) error {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	r.d.room = room
	return nil
}

// Now is for disk.now.
func (r *Drive) Now(_ int, n *int) error {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	*n = len(r.d.ops)
	return nil
}

// Ops returns the ops from one on.
func (r *Drive) Ops(from int, ops *[]op) error {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	*ops = r.d.ops[from:]
	return nil
}

func (d *disk) call(method string, arg, reply any) {
	if err := d.link.Call("Drive."+method, arg, reply); err != nil {
		panic(err)
	}
}

func (d *disk) fail(f Fault) { d.call("Fail", f, new(int)) }

func (d *disk) heal() { d.fail(Fault{}) }

func (d *disk) room(total, free uint64) { d.call("Room", [2]uint64{total, free}, new(int)) }

// now is the position in the record of ops.
func (d *disk) now() (n int) {
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
func mountDisk(t testing.TB) *disk {
	t.Helper()
	d := &disk{dir: t.TempDir()}
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
	d := &drive{}
	server, err := fs.Mount(dir, &diskDir{d: d}, &fs.Options{
		MountOptions: fuse.MountOptions{DirectMount: true, FsName: "disk", Name: "store-test"},
	})
	if err != nil {
		os.Stdout.WriteString("-")
		return
	}
	os.Stdout.WriteString("+")
	r := rpc.NewServer()
	r.Register(&Drive{d})
	r.ServeConn(stdio{os.Stdin, os.Stdout})
	if server.Unmount() != nil {
		syscall.Unmount(dir, syscall.MNT_DETACH)
	}
}

type diskDir struct {
	fs.Inode
	d *drive
}

type diskFile struct {
	fs.Inode
	d  *drive
	id int

	mu   sync.Mutex
	data []byte
}

var (
	_ fs.NodeCreater   = (*diskDir)(nil)
	_ fs.NodeRenamer   = (*diskDir)(nil)
	_ fs.NodeUnlinker  = (*diskDir)(nil)
	_ fs.NodeLinker    = (*diskDir)(nil)
	_ fs.NodeFsyncer   = (*diskDir)(nil)
	_ fs.NodeStatfser  = (*diskDir)(nil)
	_ fs.NodeOpener    = (*diskFile)(nil)
	_ fs.NodeReader    = (*diskFile)(nil)
	_ fs.NodeWriter    = (*diskFile)(nil)
	_ fs.NodeFsyncer   = (*diskFile)(nil)
	_ fs.NodeGetattrer = (*diskFile)(nil)
	_ fs.NodeSetattrer = (*diskFile)(nil)
)

func (n *diskDir) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	n.d.mu.Lock()
	n.d.next++
	f := &diskFile{d: n.d, id: n.d.next}
	n.d.mu.Unlock()
	if errno := n.d.note(op{Kind: opName, File: f.id, Name: name}); errno != 0 {
		return nil, nil, 0, errno
	}
	f.attr(&out.Attr)
	return n.NewInode(ctx, f, fs.StableAttr{Mode: syscall.S_IFREG}), nil, 0, 0
}

func (n *diskDir) Rename(ctx context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	return n.d.note(op{Kind: opName, File: n.GetChild(name).Operations().(*diskFile).id, Name: newName, Old: name})
}

func (n *diskDir) Unlink(ctx context.Context, name string) syscall.Errno {
	return n.d.note(op{Kind: opName, Old: name})
}

func (n *diskDir) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	f := target.(*diskFile)
	if errno := n.d.note(op{Kind: opName, File: f.id, Name: name}); errno != 0 {
		return nil, errno
	}
	f.attr(&out.Attr)
	return f.EmbeddedInode(), 0
}

func (n *diskDir) Fsync(ctx context.Context, f fs.FileHandle, flags uint32) syscall.Errno {
	return n.d.note(op{Kind: opSyncDir})
}

func (n *diskDir) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	n.d.mu.Lock()
	defer n.d.mu.Unlock()
	out.Bsize, out.Frsize = 4096, 4096
	out.Blocks, out.Bfree, out.Bavail = n.d.room[0]/4096, n.d.room[1]/4096, n.d.room[1]/4096
	return 0
}

func (n *diskFile) attr(out *fuse.Attr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	out.Mode, out.Size, out.Nlink = syscall.S_IFREG|0o600, uint64(len(n.data)), 1
	out.Uid, out.Gid = uint32(os.Geteuid()), uint32(os.Getegid())
}

func (n *diskFile) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_KEEP_CACHE, 0
}

func (n *diskFile) Getattr(ctx context.Context, f fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.attr(&out.Attr)
	return 0
}

func (n *diskFile) Setattr(ctx context.Context, f fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if size, ok := in.GetSize(); ok {
		if errno := n.d.note(op{Kind: opTruncate, File: n.id, Off: int64(size)}); errno != 0 {
			return errno
		}
		n.mu.Lock()
		n.resize(int64(size))
		n.mu.Unlock()
	}
	n.attr(&out.Attr)
	return 0
}

func (n *diskFile) resize(size int64) {
	if size <= int64(len(n.data)) {
		n.data = n.data[:size]
		return
	}
	n.data = append(n.data, make([]byte, size-int64(len(n.data)))...)
}

func (n *diskFile) Read(ctx context.Context, f fs.FileHandle, dst []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if off >= int64(len(n.data)) {
		return fuse.ReadResultData(nil), 0
	}
	return fuse.ReadResultData(dst[:copy(dst, n.data[off:])]), 0
}

func (n *diskFile) Write(ctx context.Context, f fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	if errno := n.d.note(op{Kind: opWrite, File: n.id, Off: off, Data: append([]byte(nil), data...)}); errno != 0 {
		return 0, errno
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if end := off + int64(len(data)); end > int64(len(n.data)) {
		n.resize(end)
	}
	copy(n.data[off:], data)
	return uint32(len(data)), 0
}

func (n *diskFile) Fsync(ctx context.Context, f fs.FileHandle, flags uint32) syscall.Errno {
	return n.d.note(op{Kind: opSync, File: n.id})
}

// platter is what is on a disk after a power cut.
type platter struct {
	grain   int64
	files   map[int]*platterFile
	names   map[string]int
	pending []op // names that are not synced
}

type platterFile struct {
	size     int64
	sectors  map[int64][]byte
	volatile []op // since the last sync, cut to grains
}

// upTo sees to it that so many ops are known here.
func (d *disk) upTo(ops int) {
	if len(d.ops) < ops {
		var more []op
		d.call("Ops", len(d.ops), &more)
		d.ops = append(d.ops, more...)
	}
}

// cut returns what a power cut after the first ops leaves in a directory of the real file system:
// all that was synced, and a random part of the rest. lost is how much of the rest is lost: 1 is
// everything.
func (d *disk) cut(t testing.TB, ops int, grain int64, lost float64, r *rand.Rand) (dir string) {
	t.Helper()
	d.upTo(ops)
	p := &platter{grain: grain, files: make(map[int]*platterFile), names: make(map[string]int)}
	for _, o := range d.ops[:ops] {
		p.do(o)
	}
	for _, f := range p.files {
		for _, o := range f.volatile {
			if r.Float64() >= lost {
				f.apply(o, grain)
			}
		}
	}
	// A file system's journal keeps the order of names.
	for _, o := range p.pending {
		if r.Float64() < lost {
			break
		}
		p.name(o)
	}
	dir = t.TempDir()
	for name, id := range p.names {
		f := p.files[id]
		if f == nil {
			f = &platterFile{}
		}
		out, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		for at, b := range f.sectors {
			if _, err := out.WriteAt(b, at*grain); err != nil {
				t.Fatal(err)
			}
		}
		if err := out.Truncate(f.size); err != nil {
			t.Fatal(err)
		}
		out.Close()
	}
	return dir
}

func (p *platter) file(id int) *platterFile {
	f := p.files[id]
	if f == nil {
		f = &platterFile{sectors: make(map[int64][]byte)}
		p.files[id] = f
	}
	return f
}

func (p *platter) do(o op) {
	switch o.Kind {
	case opWrite:
		f := p.file(o.File)
		for len(o.Data) > 0 {
			n := min(int64(len(o.Data)), p.grain-o.Off%p.grain)
			f.volatile = append(f.volatile, op{Kind: opWrite, Off: o.Off, Data: o.Data[:n]})
			o.Off += n
			o.Data = o.Data[n:]
		}
	case opTruncate:
		f := p.file(o.File)
		f.volatile = append(f.volatile, o)
	case opSync:
		f := p.file(o.File)
		if !o.Failed { // else the system forgets that they are not written
			for _, v := range f.volatile {
				f.apply(v, p.grain)
			}
		}
		f.volatile = nil
	case opName:
		p.pending = append(p.pending, o)
	case opSyncDir:
		if !o.Failed {
			for _, n := range p.pending {
				p.name(n)
			}
			p.pending = nil
		}
	}
}

func (p *platter) name(o op) {
	if o.Old != "" {
		delete(p.names, o.Old)
	}
	if o.Name != "" {
		p.names[o.Name] = o.File
	}
}

func (f *platterFile) apply(o op, grain int64) {
	if o.Kind == opTruncate {
		f.size = o.Off
		return
	}
	at := o.Off / grain
	s := f.sectors[at]
	if s == nil {
		s = make([]byte, grain)
		f.sectors[at] = s
	}
	copy(s[o.Off%grain:], o.Data)
	f.size = max(f.size, o.Off+int64(len(o.Data)))
}
