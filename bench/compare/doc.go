// Package compare sets two directories of results side by side: what each of them
// found for the same comparison, under a banner that names every condition in which
// they differ. It tests nothing. Figures of two runs are not paired, and a difference
// between them may be that of two days; two versions are compared by a run that
// interleaves both.
package compare
