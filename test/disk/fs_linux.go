// Package disk is a file system in memory under a real mount, for tests of what must survive.
// Whoever mounts it is asked before everything that is done to it, and can write it down, refuse
// it, delay it, or kill who does it. A Platter tells what a power cut would have left.
//
// It knows one directory with files. It must not be served by a process that maps its files: such
// a process can wait for itself.
package disk

import (
	"context"
	"os"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Kind is what is done to a disk.
type Kind uint8

// The kinds.
const (
	Write Kind = iota
	Truncate
	Sync // of a file
	Name // create, rename, link, unlink
	SyncDir
	Kinds
)

// Op is something that is done to a disk.
type Op struct {
	Kind   Kind
	File   int
	Off    int64
	Data   []byte // of Write; good until the call returns
	Name   string // of Name: the file has it now
	Old    string // of Name: the file has it no more
	Failed bool   // of a sync
}

// Disk is one mount.
type Disk struct {
	// Ask is called before each Op, from several goroutines. An Errno is what the system call
	// returns; the Op is not done then.
	Ask func(Op) syscall.Errno
	// Room returns the bytes of the disk and those of them that are free. nil: 0, which is unknown.
	Room func() (total, free uint64)
	// Start is the files that are there at first.
	Start []File

	server *fuse.Server

	mu   sync.Mutex // guards the following
	next int        // id of a file
}

// File is a name and what it stands for.
type File struct {
	Name string
	ID   int // two names may stand for one
	Data []byte
}

// Mount makes the disk appear at dir, which must be an empty directory. An error mostly means
// that the system does not allow it.
func (d *Disk) Mount(dir string) error {
	var err error
	d.server, err = fs.Mount(dir, &folder{d: d}, &fs.Options{
		MountOptions: fuse.MountOptions{DirectMount: true, FsName: "disk", Name: "sio-edge-test"},
	})
	return err
}

// Unmount takes it away. Nobody may have a file of it open.
func (d *Disk) Unmount(dir string) {
	if d.server.Unmount() != nil {
		syscall.Unmount(dir, syscall.MNT_DETACH)
	}
}

type folder struct {
	fs.Inode
	d *Disk
}

type file struct {
	fs.Inode
	d  *Disk
	id int

	mu   sync.Mutex
	data []byte
}

var (
	_ fs.NodeOnAdder   = (*folder)(nil)
	_ fs.NodeCreater   = (*folder)(nil)
	_ fs.NodeRenamer   = (*folder)(nil)
	_ fs.NodeUnlinker  = (*folder)(nil)
	_ fs.NodeLinker    = (*folder)(nil)
	_ fs.NodeFsyncer   = (*folder)(nil)
	_ fs.NodeStatfser  = (*folder)(nil)
	_ fs.NodeOpener    = (*file)(nil)
	_ fs.NodeReader    = (*file)(nil)
	_ fs.NodeWriter    = (*file)(nil)
	_ fs.NodeFsyncer   = (*file)(nil)
	_ fs.NodeGetattrer = (*file)(nil)
	_ fs.NodeSetattrer = (*file)(nil)
)

// OnAdd makes the files that are there at first.
func (n *folder) OnAdd(ctx context.Context) {
	made := make(map[int]*fs.Inode)
	for _, start := range n.d.Start {
		inode := made[start.ID]
		if inode == nil {
			f := &file{d: n.d, id: start.ID, data: start.Data}
			inode = n.NewPersistentInode(ctx, f, fs.StableAttr{Mode: syscall.S_IFREG})
			made[start.ID] = inode
			n.d.next = max(n.d.next, start.ID)
		}
		n.AddChild(start.Name, inode, true)
	}
}

func (n *folder) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	n.d.mu.Lock()
	n.d.next++
	f := &file{d: n.d, id: n.d.next}
	n.d.mu.Unlock()
	if errno := n.d.Ask(Op{Kind: Name, File: f.id, Name: name}); errno != 0 {
		return nil, nil, 0, errno
	}
	f.attr(&out.Attr)
	return n.NewInode(ctx, f, fs.StableAttr{Mode: syscall.S_IFREG}), nil, 0, 0
}

func (n *folder) Rename(ctx context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	return n.d.Ask(Op{Kind: Name, File: n.GetChild(name).Operations().(*file).id, Name: newName, Old: name})
}

func (n *folder) Unlink(ctx context.Context, name string) syscall.Errno {
	return n.d.Ask(Op{Kind: Name, Old: name})
}

func (n *folder) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	f := target.(*file)
	if errno := n.d.Ask(Op{Kind: Name, File: f.id, Name: name}); errno != 0 {
		return nil, errno
	}
	f.attr(&out.Attr)
	return f.EmbeddedInode(), 0
}

func (n *folder) Fsync(ctx context.Context, f fs.FileHandle, flags uint32) syscall.Errno {
	return n.d.Ask(Op{Kind: SyncDir})
}

func (n *folder) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	out.Bsize, out.Frsize = 4096, 4096
	if n.d.Room != nil {
		total, free := n.d.Room()
		out.Blocks, out.Bfree, out.Bavail = total/4096, free/4096, free/4096
	}
	return 0
}

func (n *file) attr(out *fuse.Attr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	out.Mode, out.Size, out.Nlink = syscall.S_IFREG|0o600, uint64(len(n.data)), 1
	out.Uid, out.Gid = uint32(os.Geteuid()), uint32(os.Getegid())
}

func (n *file) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_KEEP_CACHE, 0
}

func (n *file) Getattr(ctx context.Context, f fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.attr(&out.Attr)
	return 0
}

func (n *file) Setattr(ctx context.Context, f fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if size, ok := in.GetSize(); ok {
		if errno := n.d.Ask(Op{Kind: Truncate, File: n.id, Off: int64(size)}); errno != 0 {
			return errno
		}
		n.mu.Lock()
		n.resize(int64(size))
		n.mu.Unlock()
	}
	n.attr(&out.Attr)
	return 0
}

func (n *file) resize(size int64) {
	if size <= int64(len(n.data)) {
		n.data = n.data[:size]
		return
	}
	n.data = append(n.data, make([]byte, size-int64(len(n.data)))...)
}

func (n *file) Read(ctx context.Context, f fs.FileHandle, dst []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if off >= int64(len(n.data)) {
		return fuse.ReadResultData(nil), 0
	}
	return fuse.ReadResultData(dst[:copy(dst, n.data[off:])]), 0
}

func (n *file) Write(ctx context.Context, f fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	if errno := n.d.Ask(Op{Kind: Write, File: n.id, Off: off, Data: data}); errno != 0 {
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

func (n *file) Fsync(ctx context.Context, f fs.FileHandle, flags uint32) syscall.Errno {
	return n.d.Ask(Op{Kind: Sync, File: n.id})
}
