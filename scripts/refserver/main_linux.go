package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"phase0/scripts/refserver/tally"
)

const help = `Refserver answers every HTTP/1.x request with 202 {"status":"accepted"}, on one
thread, for load generators to be compared against.

usage: refserver [flags]

  -addr host:port   IPv4 address to listen on; port 0 picks one (127.0.0.1:0)
  -cpu N            run on core N only; without it taskset may choose
  -stall D          stop serving for D, such as 500ms ...
  -every D          ... each time D has passed, counted from the first request (5s)
  -stamps FILE      write when each request arrived to FILE at the end
  -stamps-max N     keep at most N stamps, 8 bytes each, up to 20000000 (2000000)
  -spin             look for requests without pause, so that stamps are not late by
                    the time that waking up takes; keeps its core busy, and counts as
                    busy what is neither waiting nor a look in vain
  -gather D         with -spin: look every D at most, such as 150us, so that requests
                    gather: all are read before the first is answered, which is cheaper
  -h, -help         this text

It prints "listening on ADDRESS" once it does, and on SIGTERM or SIGINT one line of
JSON with what it counted.
`

// options is the command line.
type options struct {
	addr      string
	cpu       int // -1: wherever the caller put it
	stall     time.Duration
	every     time.Duration
	stamps    string
	stampsMax int
	spin      bool
	gather    time.Duration
}

func parse(args []string) (options, error) {
	o := options{}
	fs := flag.NewFlagSet("refserver", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&o.addr, "addr", "127.0.0.1:0", "")
	fs.IntVar(&o.cpu, "cpu", -1, "")
	fs.DurationVar(&o.stall, "stall", 0, "")
	fs.DurationVar(&o.every, "every", 5*time.Second, "")
	fs.StringVar(&o.stamps, "stamps", "", "")
	fs.IntVar(&o.stampsMax, "stamps-max", 2_000_000, "")
	fs.BoolVar(&o.spin, "spin", false, "")
	fs.DurationVar(&o.gather, "gather", 0, "")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q: there are only flags", fs.Arg(0))
	case o.stall < 0 || o.stall >= o.every:
		return o, fmt.Errorf("-stall %v must be 0 or more and shorter than -every %v", o.stall, o.every)
	case o.stampsMax < 1 || o.stampsMax > tally.MaxStamps:
		return o, fmt.Errorf("-stamps-max %d is outside 1 to %d", o.stampsMax, tally.MaxStamps)
	case o.gather < 0 || o.gather > maxGather || o.gather > 0 && !o.spin:
		return o, fmt.Errorf("-gather %v must be 0 to %v and goes with -spin", o.gather, maxGather)
	case o.cpu < -1 || o.cpu >= 1024:
		return o, fmt.Errorf("-cpu %d is outside 0 to 1023", o.cpu)
	}
	return o, nil
}

func main() {
	o, err := parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(help)
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "refserver: %v\nrefserver -h lists the flags\n", err)
		os.Exit(2)
	}
	if err := pin(o.cpu); err != nil {
		fmt.Fprintf(os.Stderr, "refserver: %v\n", err)
		os.Exit(1)
	}
	ownDescriptors()
	stop := new(atomic.Bool)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		stop.Store(true)
	}()
	if err := run(o, os.Stdout, stop); err != nil {
		fmt.Fprintf(os.Stderr, "refserver: %v\n", err)
		os.Exit(1)
	}
}

// pin binds the process to a core. The runtime has started threads by now, which
// setting the affinity of one thread would leave where they are, so that the
// program is started anew and inherits it.
func pin(cpu int) error {
	if cpu < 0 {
		return nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var now, wanted unix.CPUSet
	wanted.Set(cpu)
	if err := unix.SchedGetaffinity(0, &now); err != nil {
		return fmt.Errorf("read affinity: %w", err)
	}
	if now == wanted {
		return nil
	}
	if err := unix.SchedSetaffinity(0, &wanted); err != nil {
		return fmt.Errorf("bind to core %d: %w", cpu, err)
	}
	path, err := os.Executable()
	if err != nil {
		return fmt.Errorf("bind to core %d: %w", cpu, err)
	}
	return fmt.Errorf("start anew on core %d: %w", cpu, syscall.Exec(path, os.Args, os.Environ()))
}

// ownDescriptors gives the main thread a table of descriptors that it shares with no
// other, so that system calls need not count who uses them. The runtime's own must
// exist before, since it polls on any thread: opening a file makes it open them.
func ownDescriptors() {
	runtime.LockOSThread() // for good
	if f, err := os.Open(os.DevNull); err == nil {
		_ = f.Close() // nothing was written
	}
	// Without it every call costs a little more.
	_ = unix.Unshare(unix.CLONE_FILES)
}

// run serves until stop is set and prints what was counted.
func run(o options, stdout io.Writer, stop *atomic.Bool) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // nothing is allocated per request
	s, err := newServer(o)
	if err != nil {
		return err
	}
	defer s.close()
	fmt.Fprintf(stdout, "listening on %s\n", s.address)
	if err := s.serve(stop); err != nil {
		return err
	}
	t := s.result()
	if o.stamps != "" {
		if err := writeStamps(o.stamps, t, s.stamps); err != nil {
			return err
		}
	}
	return json.NewEncoder(stdout).Encode(t)
}

func writeStamps(path string, t tally.Tally, stamps []int64) error {
	file, err := os.Create(filepath.Clean(path))
	if err != nil {
		return fmt.Errorf("create stamps: %w", err)
	}
	return errors.Join(tally.Write(file, t, stamps), file.Close())
}
