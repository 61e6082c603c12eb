package batched

import (
	"testing"

	"phase0/server/disk"
	"phase0/server/storage"
	"phase0/server/storage/storagetest"
)

func TestContract(t *testing.T) {
	storagetest.Run(t, func(fsys disk.FS, path string) (storage.Store, error) { return New(fsys, path) })
}
