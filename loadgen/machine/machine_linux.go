package machine

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Read reads the counters.
func Read() Reading {
	r := Reading{at: time.Now()}
	// What cannot be read or understood stays zero, as on a kernel without
	// pressure figures; the gates on it do not fire then.
	if text, err := os.ReadFile("/proc/stat"); err == nil {
		r.all, r.ours, _ = parseStat(string(text), usable())
	}
	if text, err := os.ReadFile("/proc/pressure/cpu"); err == nil {
		r.pressure, _ = parsePressure(string(text))
	}
	if text, err := os.ReadFile("/proc/net/snmp"); err == nil {
		r.resent, _ = parseNet(string(text), "Tcp", "RetransSegs")
	}
	if text, err := os.ReadFile("/proc/net/netstat"); err == nil {
		r.overflows, _ = parseNet(string(text), "TcpExt", "ListenOverflows")
		r.missed, _ = parseNet(string(text), "TcpExt", "ListenDrops")
		r.duplicate, _ = parseNet(string(text), "TcpExt", "TCPDSACKRecv")
	}
	return r
}

// usable reports of a core whether this process may use it.
func usable() func(core int) bool {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return func(int) bool { return true }
	}
	return set.IsSet
}
