// Outbox writes the report on the outbox's full test, outbox.json and outbox.md, from what
// the test has seen; scripts/outbox.sh runs the test and starts it.
package main
