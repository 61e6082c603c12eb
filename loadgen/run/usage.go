package run

import (
	"runtime"
	"time"

	"phase0/loadgen/record"
)

// usage is what the process had used at an instant.
type usage struct {
	cpu     time.Duration
	gcPause time.Duration
	gcs     uint32
	machine cpuTicks
}

// cpuTicks are the machine's CPU times, in the kernel's ticks.
type cpuTicks struct{ total, stolen uint64 }

func readUsage() usage {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return usage{
		cpu:     processCPU(),
		gcPause: time.Duration(mem.PauseTotalNs),
		gcs:     mem.NumGC,
		machine: machineCPU(),
	}
}

// until describes the generator between two readings.
func (u usage) until(end usage) record.Generator {
	g := record.Generator{
		CPUSeconds:     (end.cpu - u.cpu).Seconds(),
		GCPauseSeconds: (end.gcPause - u.gcPause).Seconds(),
		GCs:            end.gcs - u.gcs,
		CPUs:           runtime.NumCPU(),
		GOMAXPROCS:     runtime.GOMAXPROCS(0),
		GoVersion:      runtime.Version(),
		Platform:       runtime.GOOS + "/" + runtime.GOARCH,
	}
	if ticks := end.machine.total - u.machine.total; ticks > 0 {
		g.StealShare = float64(end.machine.stolen-u.machine.stolen) / float64(ticks)
	}
	return g
}
