// Bareserver is the platform's HTTP server with nothing behind it: the same
// fasthttp server with the same limits, timeouts and headers, which reads the body
// as POST /metrics does and answers the same 202, but neither parses nor keeps it.
// What the platform costs beside its HTTP stack is the difference to this program.
// Its connections are the operating system's, as fasthttp would have them; those of the
// platform move their deadlines more rarely.
//
// GET answers how many requests got a 202 so far.
//
// It is a yardstick for measurements and must not face clients.
package main
