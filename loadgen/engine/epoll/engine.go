// Package epoll is the engine for Linux: one thread that waits for the clock and
// for all connections in one system call.
//
// It costs less than a goroutine per connection, since nothing is handed over: a
// request is built once and patched in place, sent with one system call and its
// answer read with another, framed by a small parser that keeps nothing. No
// request allocates. Requests that wait are two numbers, since the schedule can tell their
// intended starts again; requests in flight are lists in the order of their
// deadlines, so that finding what timed out takes no search.
//
// At high rates requests that are due within a short bound of each other leave in
// one wake-up, late by at most that bound and never early. See bunch.
package epoll

// Name is the engine's name in results.
const Name = "epoll"

// Engine implements engine.Engine. The zero value is ready to use. It speaks
// plain HTTP only.
type Engine struct{}
