package tally

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	in := Tally{Requests: 3, Connections: 1, FirstNS: 5, LastNS: 9, CPUSeconds: 0.25, BusyShare: 0.5, Stalls: []Stall{{6, 7}}, Stamps: 3}
	stamps := []int64{5, -1, 1 << 62}
	var b bytes.Buffer
	if err := Write(&b, in, stamps); err != nil {
		t.Fatal(err)
	}
	out, got, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(out, in) || !slices.Equal(got, stamps) {
		t.Errorf("read %+v %v, wrote %+v %v", out, got, in, stamps)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":         "",
		"no line feed":    `{"stamps":0}`,
		"not JSON":        "hello\n",
		"too few stamps":  "{\"stamps\":1}\n1234567",
		"too many stamps": "{\"stamps\":1}\n123456789",
		"negative":        "{\"stamps\":-1}\n",
		"beyond bounds":   "{\"stamps\":20000001}\n",
	} {
		if _, _, err := Read(bytes.NewBufferString(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: error %v, want ErrFormat", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("{\"stamps\":1,\"stalls\":[{\"start_ns\":1}]}\n12345678"))
	f.Add([]byte("{\"stamps\":2}\n12345678"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tally, stamps, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := Write(&b, tally, stamps); err != nil {
			t.Fatal(err)
		}
		again, stampsAgain, err := Read(&b)
		if err != nil || !reflect.DeepEqual(again, tally) || !slices.Equal(stampsAgain, stamps) {
			t.Errorf("%+v became %+v, error %v", tally, again, err)
		}
	})
}
