package trial

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Host describes the machine. What the platform does not tell is empty or 0.
type Host struct {
	OS         string `json:"os"` // GOOS/GOARCH
	Kernel     string `json:"kernel"`
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	MemoryByte int64  `json:"memory_bytes"`
	Clock      string `json:"clocksource"`
	BootID     string `json:"boot_id"`
	// FileSystem holds the data directory, with its mount options.
	FileSystem string `json:"file_system"`
}

// DescribeHost reads what the machine tells of itself; dir is the directory whose
// file system is of interest.
func DescribeHost(dir string) Host {
	h := Host{OS: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU()}
	h.Kernel = firstLine("/proc/sys/kernel/osrelease")
	h.Clock = firstLine("/sys/devices/system/clocksource/clocksource0/current_clocksource")
	h.BootID = firstLine("/proc/sys/kernel/random/boot_id")
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		h.CPU = cpuModel(string(info))
	}
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		h.MemoryByte, _ = parseKiB(info, "MemTotal")
	}
	if path, err := filepath.Abs(dir); err == nil {
		if mounts, err := os.ReadFile("/proc/self/mountinfo"); err == nil {
			h.FileSystem, _ = parseMount(mounts, path)
		}
	}
	return h
}

func firstLine(path string) string {
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line)
}

func cpuModel(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		key, value, found := strings.Cut(line, ":")
		if found && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
