package main

import (
	"strings"
	"testing"
)

const injectedLog = `12 write(7, "{", 1) = -1 EIO (Input/output error) (INJECTED)
12 write(7, "{", 1) = 1
13 fsync(8 <unfinished ...>
13 <... fsync resumed>) = 0 (DELAYED)
13 write(7, "(INJECTED)", 10) = 10
`

func TestCountInjected(t *testing.T) {
	for text, want := range map[string]int{"": 0, injectedLog: 2} {
		if got, err := countInjected(strings.NewReader(text)); err != nil || got != want {
			t.Errorf("%q: %d, error %v; want %d", text, got, err, want)
		}
	}
	if _, err := countInjected(strings.NewReader(strings.Repeat("x", maxTraceLine+1))); err == nil {
		t.Error("an endless line is no error")
	}
}

func FuzzCountInjected(f *testing.F) {
	f.Add(injectedLog)
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := countInjected(strings.NewReader(text)); err == nil && n > strings.Count(text, "\n")+1 {
			t.Errorf("%d calls", n)
		}
	})
}
