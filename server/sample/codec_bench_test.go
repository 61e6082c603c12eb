package sample

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// batchBody is the body of a request with n samples, of eight names.
func batchBody(n int) []byte {
	var body bytes.Buffer
	body.WriteString(`{"metrics":[`)
	for i := range n {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"name":"cpu_usage_%d","value":%d.25,"timestamp":%d}`, i%8, i%100, 1_696_789_234_567+i)
	}
	body.WriteString(`]}`)
	return body.Bytes()
}

func BenchmarkDecodeBatch(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("samples=%d", n), func(b *testing.B) {
			var d Decoder
			body := batchBody(n)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if got, batch, err := d.Decode(body, now); err != nil || !batch || len(got) != n {
					b.Fatal(len(got), batch, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/sample")
		})
	}
}

// BenchmarkDecodeManySeries has more names than a cache holds.
func BenchmarkDecodeManySeries(b *testing.B) {
	const n, requests = 1000, 100
	for _, series := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("series=%d", series), func(b *testing.B) {
			bodies, random := make([][]byte, requests), rand.New(rand.NewPCG(1, 2))
			for i := range bodies {
				bodies[i] = fmt.Append(bodies[i], `{"metrics":[`)
				for k := range n {
					bodies[i] = fmt.Appendf(bodies[i], `{"name":"cpu_%05d","value":%d},`, random.IntN(series), 1000+k)
				}
				bodies[i] = append(bodies[i][:len(bodies[i])-1], "]}"...)
			}
			var d Decoder
			for i := 0; b.Loop(); i++ {
				if _, _, err := d.Decode(bodies[i%requests], now); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/sample")
		})
	}
}

func BenchmarkAppendLine(b *testing.B) {
	for name, s := range map[string]Sample{
		"integer": {Name: "cpu_usage", Value: 85, Timestamp: 1_696_789_234_567},
		"float":   {Name: "cpu_usage", Value: 85.123456789012, Timestamp: 1_696_789_234_567},
	} {
		b.Run("value="+name, func(b *testing.B) {
			line := AppendLine(nil, s)
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				line = AppendLine(line[:0], s)
			}
			b.ReportMetric(float64(len(line)), "B/sample")
		})
	}
}
