package sample

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// slowNumber is what AppendNumber must print.
func slowNumber(v float64) string {
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// The fast ways to print and to read a number give what strconv gives.
func TestNumbersAreThoseOfStrconv(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	texts := []string{
		"0", "-0", "-0.0", "0.0", "1", "-1", "10", "0.1", "0.000001", "0.0000001", "0.0000005", "123456.789", "999999.9999995", "0.3", "1e22", "1e23", "1e-22", "1e-23",
		"9007199254740991", "9007199254740992", "9007199254740993", "9007199254740992e22", "9007199254740993e-22", "999999999999999", "1000000000000000", "-999999999999999.9",
		"123456789012345678", "1234567890123456789", "12345678901234567890", "123456789012345678901", "0.30000000000000004", "5e-324", "1.7976931348623157e308", "00000001", "12345678", "1234567/", "12345678:",
		"1e0", "1e00000", "1e+0001", "0e999", "1e-99999999999999999999", "18446744073709551615", "18446744073709551616", "0.00000000000000000000000000000001", "1" + strings.Repeat("0", 40),
	}
	for range 200_000 {
		var v float64
		switch rng.IntN(5) {
		case 0:
			v = math.Float64frombits(rng.Uint64())
		case 1:
			v = float64(rng.Int64N(1<<53)) / 1e6
		case 2:
			v = float64(rng.Int64N(1e9)) / math.Pow(10, float64(rng.IntN(9)))
		case 3:
			v = float64(rng.Int64()) * math.Pow(10, float64(rng.IntN(6)))
		case 4:
			v = rng.NormFloat64() * 100
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		texts = append(texts, slowNumber(v), strconv.FormatFloat(-v, 'e', rng.IntN(18), 64))
	}
	for _, text := range texts {
		p := parser{text: []byte(text)}
		if err := p.number(); err != nil || p.at != len(text) {
			continue // not a JSON number; TestDecodeRefuses has those
		}
		got, err := p.num.float()
		want, wantErr := strconv.ParseFloat(text, 64)
		if math.Float64bits(got) != math.Float64bits(want) || (err == nil) != (wantErr == nil) {
			t.Fatalf("seed %d: %s is %v, %v, want %v, %v", seed, text, got, err, want, wantErr)
		}
		if wantErr != nil {
			continue
		}
		if got := string(AppendNumber(nil, want)); got != slowNumber(want) {
			t.Fatalf("seed %d: printed %s, want %s", seed, got, slowNumber(want))
		}
		if n, ok := p.num.integral(); ok {
			if exact, err := strconv.ParseInt(text, 10, 64); err == nil && n != exact || err != nil && float64(n) != want {
				t.Fatalf("seed %d: %s is the integer %d", seed, text, n)
			}
		} else if _, err := strconv.ParseInt(text, 10, 64); err == nil {
			t.Fatalf("seed %d: %s is not an integer", seed, text)
		}
	}
	for _, n := range []int64{0, 1, 9, 10, 99, 100, 101, 1696789234567, math.MaxInt64, math.MinInt64, -1, -100} {
		if got := string(appendInt(nil, n)); got != fmt.Sprint(n) {
			t.Errorf("printed %s, want %d", got, n)
		}
	}
}

// Eight bytes at a time or one by one: the same end is found, whatever stands before and
// behind it.
func TestPlainBytes(t *testing.T) {
	for c := range 256 {
		for before := range 20 {
			for _, behind := range []string{"", "\x00\x00\x00\x00\x00\x00\x00\x00\x00", "abcdefghij", "\xff\"\\\x1f !\x80z"} {
				s := strings.Repeat("a", before) + string([]byte{byte(c)}) + behind
				want := before
				for want < len(s) && s[want] >= ' ' && s[want] != '"' && s[want] != '\\' && s[want] < 0x80 {
					want++
				}
				if got := plainBytes(s); got != want {
					t.Fatalf("%q: %d, want %d", s, got, want)
				}
				if got := plainBytes([]byte(s)); got != want {
					t.Fatalf("%q as bytes: %d, want %d", s, got, want)
				}
			}
		}
	}
}
