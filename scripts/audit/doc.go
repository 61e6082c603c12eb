// Command audit reads what strace saw of a server and says whether any 202 was written
// to a socket before the sync that covers its sample had returned; scripts/audit.sh
// records and calls it.
//
// Each request carries one sample with a name of its own, audit_N_. Its 202 is covered
// when, in the order in which strace saw system calls begin and return, a write with
// that name to a file of the log began after the request was read and returned, then a
// sync of the same file began and returned without error, and only then the write of
// the answer began. strace stops a thread at both ends of a call, so that what one
// causes in another is never seen before it.
package main
