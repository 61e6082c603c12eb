// Command powerloss cuts the power under the real server and counts what it accepted and no
// longer has; scripts/powerloss.sh starts it. It is a module of its own: nothing else needs
// FUSE.
//
// Each try is a trial.Ordeal on a volume of its own: the server's files are on a file system
// that knows what was synced. At a random moment under load the power is cut, which drops a
// part of all that was not, then the process is killed, and the server is started again on
// what is left. Other tries let syncs and writes fail, with and without a cut.
//
// A test that cannot fail proves nothing: so the same is done with -sync none, and with
// servers in which a bug was planted, and there something must get lost.
package main
