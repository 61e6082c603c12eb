//go:build !unix

package run

import "time"

func processCPU() time.Duration { return 0 }
