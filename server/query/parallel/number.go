package parallel

import "strconv"

// powers holds the powers of ten that a float64 represents exactly.
var powers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// maxDigits keeps an integer of so many digits below 2^64.
const maxDigits = 19

// decimal parses the number at the start of b, written as AppendLine writes most of
// them: -12.5, without exponent. It returns how many bytes the number has, 0 for any
// other form, which the full parser may still take.
func decimal(b []byte) (v float64, n int) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		n++
	}
	first := n
	var digits uint64
	for n < len(b) && b[n]-'0' <= 9 {
		digits = digits*10 + uint64(b[n]-'0')
		n++
	}
	count := n - first
	if count == 0 || count > 1 && b[first] == '0' {
		return 0, 0
	}
	fraction := 0
	if n < len(b) && b[n] == '.' {
		point := n
		for n++; n < len(b) && b[n]-'0' <= 9; n++ {
			digits = digits*10 + uint64(b[n]-'0')
		}
		if fraction = n - point - 1; fraction == 0 {
			return 0, 0
		}
	}
	if n < len(b) && b[n]|0x20 == 'e' || count+fraction > maxDigits {
		return 0, 0
	}
	if digits > 1<<53 {
		v, err := strconv.ParseFloat(string(b[:n]), 64)
		if err != nil {
			return 0, 0
		}
		return v, n
	}
	// Both are exact, so the quotient is the nearest float64 to what is written.
	v = float64(digits) / powers[fraction]
	if negative {
		v = -v
	}
	return v, n
}

// decimalLength is decimal without the value: a number of that form always has one.
func decimalLength(b []byte) (n int) {
	if len(b) > 0 && b[0] == '-' {
		n++
	}
	first := n
	for n < len(b) && b[n]-'0' <= 9 {
		n++
	}
	count := n - first
	if count == 0 || count > 1 && b[first] == '0' {
		return 0
	}
	if n < len(b) && b[n] == '.' {
		point := n
		for n++; n < len(b) && b[n]-'0' <= 9; n++ {
		}
		count += n - point - 1
		if n == point+1 {
			return 0
		}
	}
	if n < len(b) && b[n]|0x20 == 'e' || count > maxDigits {
		return 0
	}
	return n
}

// integer parses the digits at the start of b as a timestamp; n is 0 for anything that
// is not one of at most 18 digits.
func integer(b []byte) (v int64, n int) {
	if len(b) >= 8 {
		if x := word(b); eightDigits(x) {
			v, n = valueOfEight(x), 8
		}
	}
	for n < len(b) && b[n]-'0' <= 9 {
		v = v*10 + int64(b[n]-'0')
		n++
	}
	if n > 18 || n > 1 && b[0] == '0' {
		return 0, 0
	}
	return v, n
}

// eightDigits reports whether all bytes of x are digits: their upper halves are 3, and
// still are after what takes ':' and above to the next.
func eightDigits(x uint64) bool {
	const upper, three, six = 0xf0f0f0f0f0f0f0f0, 0x3030303030303030, 0x0606060606060606
	return x&upper == three && (x+six)&upper == three
}

// valueOfEight adds digits up in pairs, the pairs in pairs, and those: three
// multiplications instead of eight. The first digit is the lowest byte.
func valueOfEight(x uint64) int64 {
	x &= 0x0f0f0f0f0f0f0f0f
	x = (x*10 + x>>8) & 0x00ff00ff00ff00ff
	x = (x*100 + x>>16) & 0x0000ffff0000ffff
	return int64((x*10_000 + x>>32) & 0xffffffff)
}
