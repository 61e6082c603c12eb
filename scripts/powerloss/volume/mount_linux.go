package volume

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	blockBytes = 4096
	maxWrite   = 128 << 10
	// unmountBound is how long a directory may be busy.
	unmountBound = 5 * time.Second
	unmountPause = 5 * time.Millisecond
)

// Mounted is a volume under a directory.
type Mounted struct {
	dir    string
	server *fuse.Server
}

// Mount shows the volume under a directory that exists.
func Mount(v *Volume, dir string) (*Mounted, error) {
	keep := time.Second // the kernel is the only one that changes anything
	server, err := fs.Mount(dir, &entry{v: v, n: v.root}, &fs.Options{
		MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "powerloss", Name: "powerloss", MaxWrite: maxWrite, DisableXAttrs: true},
		EntryTimeout: &keep, AttrTimeout: &keep, RootStableAttr: &fs.StableAttr{Ino: v.root.ino},
	})
	if err != nil {
		return nil, fmt.Errorf("mount through FUSE: %w", err)
	}
	return &Mounted{dir: dir, server: server}, nil
}

// Unmount ends it. Nobody may use it any more.
func (m *Mounted) Unmount() error {
	deadline := time.Now().Add(unmountBound)
	err := syscall.Unmount(m.dir, 0)
	for ; errors.Is(err, syscall.EBUSY) && time.Now().Before(deadline); err = syscall.Unmount(m.dir, 0) {
		time.Sleep(unmountPause)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("unmount: %w", err), syscall.Unmount(m.dir, syscall.MNT_DETACH))
	}
	m.server.Wait()
	return nil
}

// entry is a node as go-fuse sees it.
type entry struct {
	fs.Inode
	v *Volume
	n *node
}

var (
	_ fs.NodeLookuper  = (*entry)(nil)
	_ fs.NodeCreater   = (*entry)(nil)
	_ fs.NodeMkdirer   = (*entry)(nil)
	_ fs.NodeUnlinker  = (*entry)(nil)
	_ fs.NodeRmdirer   = (*entry)(nil)
	_ fs.NodeRenamer   = (*entry)(nil)
	_ fs.NodeReaddirer = (*entry)(nil)
	_ fs.NodeGetattrer = (*entry)(nil)
	_ fs.NodeSetattrer = (*entry)(nil)
	_ fs.NodeOpener    = (*entry)(nil)
	_ fs.NodeReader    = (*entry)(nil)
	_ fs.NodeWriter    = (*entry)(nil)
	_ fs.NodeAllocater = (*entry)(nil)
	_ fs.NodeFsyncer   = (*entry)(nil)
	_ fs.InodeEmbedder = (*entry)(nil)
	_ fs.NodeStatfser  = (*entry)(nil)
)

func kind(n *node) uint32 {
	if n.dir {
		return fuse.S_IFDIR
	}
	return fuse.S_IFREG
}

// show returns the inode of a node and fills its description.
func (e *entry) show(ctx context.Context, n *node, out *fuse.EntryOut) *fs.Inode {
	e.v.describe(n, &out.Attr)
	return e.NewInode(ctx, &entry{v: e.v, n: n}, fs.StableAttr{Mode: kind(n), Ino: n.ino})
}

func (v *Volume) describe(n *node, out *fuse.Attr) {
	v.mu.Lock()
	defer v.mu.Unlock()
	out.Ino, out.Mode, out.Nlink, out.Blksize = n.ino, kind(n)|0o755, 1, blockBytes
	out.Size = uint64(len(n.data))
	out.Blocks = (out.Size + 511) / 512
}

// Lookup implements fs.NodeLookuper.
func (e *entry) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n := e.v.lookup(e.n, name)
	if n == nil {
		return nil, syscall.ENOENT
	}
	return e.show(ctx, n, out), 0
}

// Create implements fs.NodeCreater.
func (e *entry) Create(ctx context.Context, name string, flags, _ uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	n, errno := e.v.create(e.n, name, false, flags&syscall.O_EXCL != 0)
	if errno != 0 {
		return nil, nil, 0, errno
	}
	return e.show(ctx, n, out), nil, fuse.FOPEN_DIRECT_IO, 0
}

// Mkdir implements fs.NodeMkdirer.
func (e *entry) Mkdir(ctx context.Context, name string, _ uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n, errno := e.v.create(e.n, name, true, true)
	if errno != 0 {
		return nil, errno
	}
	return e.show(ctx, n, out), 0
}

// Unlink implements fs.NodeUnlinker.
func (e *entry) Unlink(_ context.Context, name string) syscall.Errno {
	return e.v.remove(e.n, name, false)
}

// Rmdir implements fs.NodeRmdirer.
func (e *entry) Rmdir(_ context.Context, name string) syscall.Errno {
	return e.v.remove(e.n, name, true)
}

// Rename implements fs.NodeRenamer.
func (e *entry) Rename(_ context.Context, name string, parent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	into, ok := parent.(*entry)
	if !ok || flags != 0 {
		return syscall.EINVAL
	}
	return e.v.rename(e.n, name, into.n, newName)
}

// Readdir implements fs.NodeReaddirer.
func (e *entry) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	e.v.mu.Lock()
	defer e.v.mu.Unlock()
	if e.v.off {
		return nil, syscall.EIO
	}
	var all []fuse.DirEntry
	for name, n := range e.n.names {
		all = append(all, fuse.DirEntry{Name: name, Mode: kind(n), Ino: n.ino})
	}
	slices.SortFunc(all, func(a, b fuse.DirEntry) int { return strings.Compare(a.Name, b.Name) })
	return fs.NewListDirStream(all), 0
}

// Getattr implements fs.NodeGetattrer.
func (e *entry) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	e.v.describe(e.n, &out.Attr)
	return 0
}

// Setattr implements fs.NodeSetattrer: only sizes are kept.
func (e *entry) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if size, ok := in.GetSize(); ok {
		if errno := e.v.resize(e.n, int64(size)); errno != 0 {
			return errno
		}
	}
	e.v.describe(e.n, &out.Attr)
	return 0
}

// Open implements fs.NodeOpener. The kernel keeps no copy of the contents.
func (e *entry) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_DIRECT_IO, 0
}

// Read implements fs.NodeReader.
func (e *entry) Read(_ context.Context, _ fs.FileHandle, to []byte, at int64) (fuse.ReadResult, syscall.Errno) {
	n, errno := e.v.read(e.n, to, at)
	return fuse.ReadResultData(to[:n]), errno
}

// Write implements fs.NodeWriter.
func (e *entry) Write(_ context.Context, _ fs.FileHandle, data []byte, at int64) (uint32, syscall.Errno) {
	n, errno := e.v.write(e.n, data, at)
	return uint32(n), errno
}

// Allocate implements fs.NodeAllocater: there is always room, so that only the size matters.
func (e *entry) Allocate(_ context.Context, _ fs.FileHandle, at, size uint64, mode uint32) syscall.Errno {
	if mode != 0 {
		return syscall.EOPNOTSUPP
	}
	e.v.mu.Lock()
	grows := at+size > uint64(len(e.n.data))
	e.v.mu.Unlock()
	if !grows {
		return 0
	}
	return e.v.resize(e.n, int64(at+size))
}

// Fsync implements fs.NodeFsyncer, for files and directories.
func (e *entry) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno { return e.v.sync(e.n) }

// Statfs implements fs.NodeStatfser: there is room.
func (e *entry) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	const blocks = 1 << 20
	out.Bsize, out.Frsize, out.Blocks, out.Bfree, out.Bavail, out.NameLen = blockBytes, blockBytes, blocks, blocks, blocks, 255
	return 0
}
