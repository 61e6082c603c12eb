package trial

import "context"

// Probe starts the arm's server once and stops it again. The error says why it cannot
// be measured.
func (h *Harness) Probe(ctx context.Context, arm Arm) error {
	return h.inDir(func(dir string) error {
		s, err := h.startTarget(ctx, h.Placement.Server, dir, arm)
		if err != nil {
			return err
		}
		_, err = s.stop()
		return err
	})
}
