//go:build !linux

package run

// machineCPU is not known on this platform.
func machineCPU() cpuTicks { return cpuTicks{} }
