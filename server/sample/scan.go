package sample

import "math/bits"

// plainBytes returns how many bytes at the start of a string need no second look: no quote,
// no backslash, no control character, ASCII. It looks at eight at a time.
func plainBytes[T string | []byte](s T) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		chunk := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		if special := specialBytes(chunk); special != 0 {
			return i + bits.TrailingZeros64(special)/8
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
			return i
		}
	}
	return i
}

// specialBytes sets the high bit of each byte that is not plain. Bits above the lowest one
// set may be wrong: a subtraction borrows from the byte above.
func specialBytes(chunk uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quote := chunk ^ '"'*ones
	backslash := chunk ^ '\\'*ones
	isQuote := (quote - ones) &^ quote
	isBackslash := (backslash - ones) &^ backslash
	isControl := (chunk - ' '*ones) &^ chunk
	return (isQuote | isBackslash | isControl | chunk) & highs
}
