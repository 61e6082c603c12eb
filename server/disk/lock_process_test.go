package disk_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"phase0/server/disk"
)

// holdLock names the file that the test binary locks when it is started as the other
// process.
const holdLock = "PHASE0_TEST_HOLD_LOCK"

func TestMain(m *testing.M) {
	path := os.Getenv(holdLock)
	if path == "" {
		os.Exit(m.Run())
	}
	if _, err := disk.Acquire(path); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("locked")
	_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
}

// Once the holder is killed the lock is free, although its id still stands in the file.
func TestLockOfAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.jsonl")
	if err := os.WriteFile(path+".lock", []byte("123456789012\n"), 0o600); err != nil { // of one long gone
		t.Fatal(err)
	}
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), holdLock+"="+path)
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n') // what is missing is seen below
	_, err = disk.Acquire(path)
	pid := other.Process.Pid
	_ = other.Process.Kill()
	_ = other.Wait() // killed
	if line != "locked\n" || !errors.Is(err, disk.ErrLocked) || !strings.HasSuffix(err.Error(), fmt.Sprintf("by process %d", pid)) {
		t.Fatalf("process %d says %q; Acquire beside it: %v", pid, line, err)
	}
	lock, err := disk.Acquire(path)
	if err != nil {
		t.Fatalf("after its holder was killed: %v", err)
	}
	defer lock.Release()
	if b, err := os.ReadFile(path + ".lock"); err != nil || string(b) != fmt.Sprintf("%d\n", os.Getpid()) {
		t.Errorf("lock file holds %q, %v", b, err)
	}
}
