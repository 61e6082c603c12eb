package sample

import (
	"encoding/binary"
	"math"
	"strconv"
)

// number is a JSON number taken apart. Its value is mantissa × 10^exponent as long as exact
// is set; otherwise it has too many digits for that and strconv must read the token.
type number struct {
	token    []byte
	mantissa uint64
	exponent int
	negative bool
	exact    bool
}

// exactDigits is how many digits always fit a mantissa.
const exactDigits = 19

var powersOfTen = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// float returns the nearest 64-bit float. A mantissa and a power of ten that are floats
// themselves need one rounding only, so the result is what strconv would find.
func (n *number) float() (float64, error) {
	if !n.exact || n.mantissa > 1<<53 || n.exponent < -22 || n.exponent > 22 {
		return strconv.ParseFloat(string(n.token), 64)
	}
	f := float64(n.mantissa)
	if n.exponent < 0 {
		f /= powersOfTen[-n.exponent]
	} else {
		f *= powersOfTen[n.exponent]
	}
	if n.negative {
		f = -f
	}
	return f, nil
}

// integral returns the value of a number without a fractional part: 12, 12.0, 1.2e1.
func (n *number) integral() (int64, bool) {
	if n.exact && n.exponent == 0 && n.mantissa <= math.MaxInt64 {
		if n.negative {
			return -int64(n.mantissa), true
		}
		return int64(n.mantissa), true
	}
	if i, err := strconv.ParseInt(string(n.token), 10, 64); err == nil {
		return i, true
	}
	f, err := strconv.ParseFloat(string(n.token), 64)
	// Above 2^53 a float no longer says which integer was meant.
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// number parses [-] (0 | 1-9 digits) [. digits] [e [+-] digits] into p.num.
func (p *parser) number() error {
	n := &p.num
	from := p.at
	n.negative = p.take('-')
	n.mantissa, n.exponent = 0, 0
	first := p.at
	if !p.take('0') {
		if n.mantissa = p.digits(0); p.at == first {
			return errSyntax
		}
	}
	digits := p.at - first
	if p.take('.') {
		point := p.at
		if n.mantissa = p.digits(n.mantissa); p.at == point {
			return errSyntax
		}
		n.exponent = point - p.at
		digits += p.at - point
	}
	n.exact = digits <= exactDigits
	if c := p.peek(); c == 'e' || c == 'E' {
		if err := p.exponent(n); err != nil {
			return err
		}
	}
	n.token = p.text[from:p.at]
	return nil
}

func (p *parser) exponent(n *number) error {
	p.at++ // the letter
	negative := p.take('-')
	if !negative {
		p.take('+')
	}
	from := p.at
	e := p.digits(0)
	switch {
	case p.at == from:
		return errSyntax
	case p.at-from > 3:
		n.exact = false
	case negative:
		n.exponent -= int(e)
	default:
		n.exponent += int(e)
	}
	return nil
}

// digits reads digits and appends them to a value, which overflows when there are too many.
func (p *parser) digits(value uint64) uint64 {
	text := p.text
	at := p.at
	for at+8 <= len(text) {
		chunk := binary.LittleEndian.Uint64(text[at:])
		if !allDigits(chunk) {
			break
		}
		value = value*100_000_000 + eightDigits(chunk)
		at += 8
	}
	for at < len(text) && text[at]-'0' <= 9 {
		value = value*10 + uint64(text[at]-'0')
		at++
	}
	p.at = at
	return value
}

// allDigits reports whether each of eight bytes is a digit: its high half is 3, also when 6
// is added to it.
func allDigits(chunk uint64) bool {
	const high, threes, sixes = 0xf0f0f0f0f0f0f0f0, 0x3030303030303030, 0x0606060606060606
	return chunk&high == threes && (chunk+sixes)&high == threes
}

// eightDigits returns the number that eight digits stand for, the first one in the lowest
// byte: digits are joined to pairs, pairs to fours, fours to eight.
func eightDigits(chunk uint64) uint64 {
	chunk &= 0x0f0f0f0f0f0f0f0f
	chunk = chunk*10 + chunk>>8
	const pairs = 0x000000ff000000ff
	return ((chunk&pairs)*(100+1_000_000<<32) + (chunk>>16&pairs)*(1+10_000<<32)) >> 32
}

// mostExact is the first number of 16 digits.
const mostExact = 1_000_000_000_000_000

// AppendNumber appends the shortest JSON form of a finite v: plain digits
// between 1e-6 and 1e21, an exponent outside, as ECMAScript prints numbers.
func AppendNumber(dst []byte, v float64) []byte {
	if whole := int64(v); float64(whole) == v && whole > -mostExact && whole < mostExact && (whole != 0 || !math.Signbit(v)) {
		return appendInt(dst, whole)
	}
	// A decimal of up to 15 digits that is read as v is the shortest: no two of them are
	// read as the same float. So most values need no search for it.
	if scaled := v * 1e6; scaled > -mostExact && scaled < mostExact {
		millionths := int64(scaled + math.Copysign(0.5, v))
		if float64(millionths)/1e6 == v && millionths != 0 {
			return appendMillionths(dst, millionths)
		}
	}
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(dst, v, 'e', -1, 64)
	}
	return strconv.AppendFloat(dst, v, 'f', -1, 64)
}

// appendMillionths appends n × 10^-6, which is no whole number, without trailing zeros.
func appendMillionths(dst []byte, n int64) []byte {
	if n < 0 {
		dst = append(dst, '-')
		n = -n
	}
	dst = appendUint(dst, uint64(n)/1_000_000)
	fraction := uint64(n) % 1_000_000
	at := len(dst)
	dst = append(dst, ".000000"...)
	for i := 5; i > 0; i -= 2 {
		pair := fraction % 100 * 2
		fraction /= 100
		dst[at+i], dst[at+i+1] = digitPairs[pair], digitPairs[pair+1]
	}
	end := len(dst)
	for dst[end-1] == '0' {
		end--
	}
	return dst[:end]
}

func appendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return appendUint(append(dst, '-'), -uint64(n))
	}
	return appendUint(dst, uint64(n))
}

// digitPairs holds 00 to 99.
const digitPairs = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899"

func appendUint(dst []byte, n uint64) []byte {
	var b [20]byte
	at := len(b)
	for n >= 100 {
		pair := n % 100 * 2
		n /= 100
		at -= 2
		b[at], b[at+1] = digitPairs[pair], digitPairs[pair+1]
	}
	if n >= 10 {
		at -= 2
		b[at], b[at+1] = digitPairs[n*2], digitPairs[n*2+1]
	} else {
		at--
		b[at] = byte('0' + n)
	}
	return append(dst, b[at:]...)
}
