// Refserver answers every HTTP request with the same 202, at the least cost that
// one thread and plain system calls allow, so that a load generator and not the
// server is what a comparison measures. It can stall on schedule and record when
// each request arrived; both serve as the truth that a generator's own figures are
// held against.
//
// It looks at a request only as far as it must to find its end: Content-Length,
// Connection, and the protocol's version. Chunked bodies get 501. It is not a
// web server and must not face one's clients.
package main
