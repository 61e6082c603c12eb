// Command mutants plants bugs in a copy of the code, one at a time, and runs the tests
// that should catch them; scripts/mutants.sh starts it.
//
// A mutant is a text in one file that is replaced by another. The text must stand there
// exactly once, the result must compile, and the same tests must pass without it: what
// fails for another reason than the bug proves nothing. A mutant that no test catches
// survives, which is a missing test.
package main
