package audit

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Difference is one place at which a directory does not say what follows from its
// trials.
type Difference struct {
	File string
	// Where is a path in the JSON, as findings.comparisons[3].effect.ratio, or a line.
	Where  string
	Stored string
	Want   string
}

// Findings is what Verify found.
type Findings struct {
	Dir string
	// Files and Values count what was compared: files, and JSON values and lines in
	// them.
	Files       int
	Values      int
	Differences []Difference
	// Omitted counts differences beyond maxDifferences.
	Omitted int
}

// maxDifferences bounds what is kept: one changed trial can change a hundred figures,
// and the first ones tell which.
const maxDifferences = 40

func (f *Findings) add(file, where, stored, want string) {
	if len(f.Differences) >= maxDifferences {
		f.Omitted++
		return
	}
	f.Differences = append(f.Differences, Difference{file, where, stored, want})
}

// OK reports whether everything agrees.
func (f Findings) OK() bool { return len(f.Differences) == 0 }

// String lists the differences in aligned lines, or says in one that there are none.
func (f Findings) String() string {
	if f.OK() {
		return fmt.Sprintf("%s: %d values and lines in %d files follow from the trials; nothing differs\n", f.Dir, f.Values, f.Files)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s: %d differences\n", f.Dir, len(f.Differences)+f.Omitted)
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "file\twhere\tstored\trecomputed")
	for _, d := range f.Differences {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", d.File, d.Where, d.Stored, d.Want)
	}
	_ = table.Flush() // a strings.Builder takes everything
	if f.Omitted > 0 {
		fmt.Fprintf(&out, "and %d more\n", f.Omitted)
	}
	return out.String()
}
