package run

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// Columns of the first line of /proc/stat, after "cpu".
const (
	stealColumn = 8
	lastColumn  = 8 // what follows is contained in the columns before
)

func machineCPU() cpuTicks {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return cpuTicks{}
	}
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	return parseCPU(string(line))
}

// parseCPU reads the line of /proc/stat that is about all CPUs. Columns that an
// old kernel does not have count as zero.
func parseCPU(line string) cpuTicks {
	var t cpuTicks
	for i, field := range strings.Fields(line) {
		if i == 0 || i > lastColumn {
			continue
		}
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return cpuTicks{}
		}
		t.total += n
		if i == stealColumn {
			t.stolen = n
		}
	}
	return t
}
