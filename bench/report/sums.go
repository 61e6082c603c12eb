package report

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// SumsFile is the name of the file that holds the checksums of all others in a
// directory of results.
const SumsFile = "SHA256SUMS"

// Sums returns the content of SumsFile for files by name, in the format of sha256sum,
// which checks it with -c. The file itself is left out.
func Sums(files map[string][]byte) []byte {
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if name != SumsFile {
			fmt.Fprintf(&lines, "%x  %s\n", sha256.Sum256(files[name]), name)
		}
	}
	return []byte(lines.String())
}
