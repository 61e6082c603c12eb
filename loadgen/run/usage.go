package run

import (
	"runtime"
	"time"

	"phase0/loadgen/machine"
	"phase0/loadgen/record"
)

// usage is what the process and its machine had used at an instant.
type usage struct {
	cpu     time.Duration
	gcPause time.Duration
	gcs     uint32
	machine machine.Reading
}

func readUsage() usage {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return usage{
		cpu:     processCPU(),
		gcPause: time.Duration(mem.PauseTotalNs),
		gcs:     mem.NumGC,
		machine: machine.Read(),
	}
}

// until describes the generator between two readings.
func (u usage) until(end usage) record.Generator {
	own := end.cpu - u.cpu
	return record.Generator{
		CPUSeconds:     own.Seconds(),
		GCPauseSeconds: (end.gcPause - u.gcPause).Seconds(),
		GCs:            end.gcs - u.gcs,
		StealShare:     u.machine.StealShare(end.machine),
		CPUs:           runtime.NumCPU(),
		GOMAXPROCS:     runtime.GOMAXPROCS(0),
		GoVersion:      runtime.Version(),
		Platform:       runtime.GOOS + "/" + runtime.GOARCH,
		Machine:        u.machine.Until(end.machine, own),
	}
}
