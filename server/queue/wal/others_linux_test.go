package wal

import (
	"os"
	"runtime"
	"sync/atomic"
	"testing"
)

// Whoever has something to read goes first, even if nobody has looked at the network since
// it came.
func TestOthersGoFirst(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	o := newOthers()
	defer o.close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	var read atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for b := make([]byte, 1); ; read.Add(1) {
			if n, _ := r.Read(b); n == 0 {
				return
			}
		}
	}()
	runtime.Gosched() // it waits
	for want := int64(1); want <= 100; want++ {
		if _, err := w.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		o.goFirst()
		o.goFirst() // now and then the scheduler lets one jump the queue
		if got := read.Load(); got != want {
			t.Fatalf("%d bytes read of %d", got, want)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	<-ended
}
