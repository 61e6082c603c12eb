package main

// logMutants are bugs of the durable queue.
func logMutants() []mutant { return nil }
