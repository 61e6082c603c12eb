package main

import (
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func mountTmpfs(dir, options string) error { return unix.Mount("none", dir, "tmpfs", 0, options) }
func unmount(dir string) error             { return unix.Unmount(dir, unix.MNT_DETACH) }

// limitFile bounds the size of the files that the running server writes.
func (p *process) limitFile(t *testing.T, bytes uint64) {
	t.Helper()
	must(t, unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil))
}

// ticks returns the processor time of the server, in hundredths of a second.
func (p *process) ticks() int {
	p.t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/stat")
	must(p.t, err)
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return user + system
}

func (p *process) openFiles() int {
	open, err := os.ReadDir("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/fd")
	must(p.t, err)
	return len(open)
}

// More connections than the process has file descriptors: the accept loop does not spin,
// and when they are gone everything works again, storage included.
func TestOutOfFileDescriptors(t *testing.T) {
	p := start(t, "-mode", "concurrent", "-storage", "jsonl") // it opens a file for each sample
	p.post(numbered(0))
	p.settle()
	must(t, unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: 64}, nil))
	var silent []net.Conn
	for range 120 {
		c, err := net.Dial("tcp", p.addr)
		must(t, err)
		defer c.Close()
		silent = append(silent, c)
	}
	p.waitFor(func() bool { return p.openFiles() >= 64 })
	before := p.ticks()
	time.Sleep(time.Second)
	if used := p.ticks() - before; used > 50 {
		t.Errorf("%d%% of a core while nothing can be accepted", used)
	}
	// Who is in gets an answer. That the sample cannot be stored now is told afterwards.
	io.WriteString(silent[0], post(numbered(1)))
	silent[0].SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := silent[0].Read(make([]byte, 12)); n != 12 || err != nil {
		t.Errorf("a connection that is open: %v", err)
	}
	for _, c := range silent {
		c.Close()
	}
	p.settle()
	if got := p.values("f"); len(got) != 2 {
		t.Errorf("stored %v", got)
	}
}
