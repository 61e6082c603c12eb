package trial

import "context"

// Probe starts the arm's server once and stops it again. The error says why it cannot
// be measured.
func (h *Harness) Probe(ctx context.Context, arm Arm) error {
	if arm.Foreign() {
		return nil // its first trial tells
	}
	return h.inDir(func(dir string) error {
		s, err := h.startServer(ctx, h.Placement.Server, dataFile(dir), arm.ServerArgs...)
		if err != nil {
			return err
		}
		_, err = s.stop()
		return err
	})
}
