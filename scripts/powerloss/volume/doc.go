// Package volume is a file system in memory whose power can be cut. It remembers of every
// file what was synced and what was changed since, and of every directory which names were;
// a cut keeps all that was synced and of the rest a part that a seed chooses.
//
// It is as unkind as a disk may be. Nothing orders the changes of one file against those of
// another. Of a write each sector of 512 bytes survives for itself, and the size of a file
// may survive without its contents, which are zeros then. A name that was made, replaced or
// removed may be so after a cut or not, unless its directory was synced. A sync that fails
// has written a part, and a later one does not write the rest.
//
// A Volume is safe for concurrent use. Mount serves it through FUSE, as root on Linux.
package volume
