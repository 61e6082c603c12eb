// Rules measures what alerting by -alerting stream costs a server with 10,000 rules on
// 10,000 series, and writes rules.json and rules.md; scripts/rules.sh starts it.
//
// A cell is one fresh server with rules of one kind, or of all kinds in turn, and a load of
// batches of one size. Its windows are filled first, with samples of the past minute. Then a
// rate is offered in an open loop, while the queue and the samples that wait for evaluation
// are read ten times a second; then as much as the server takes, in a closed loop. A cell with a single
// rule tells what the same load costs without the others.
//
// Some rules count what they have seen of a series in an hour; in the end they must have
// seen what storage has.
package main
