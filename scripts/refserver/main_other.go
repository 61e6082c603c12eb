//go:build !linux

package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	fmt.Fprintln(os.Stderr, "refserver: needs Linux's epoll, this is "+runtime.GOOS)
	os.Exit(1)
}
