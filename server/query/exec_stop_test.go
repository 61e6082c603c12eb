package query_test

import (
	"context"
	"errors"
	"testing"

	"phase0/server/query"
	"phase0/server/sample"
)

// endless yields n samples and then fails.
type endless struct {
	n   int
	err error
}

func (e endless) Select(_ context.Context, _ query.Selector, yield func(sample.Sample) bool) (stats query.Stats, err error) {
	for range e.n {
		if stats.Samples++; !yield(sample.Sample{}) {
			return stats, nil
		}
	}
	return stats, e.err
}

func (e endless) Fold(ctx context.Context, sel query.Selector, f *query.Fold) (query.Stats, error) {
	return e.Select(ctx, sel, f.Add)
}

func TestExecStopsReadingOnOverflow(t *testing.T) {
	_, stats, err := query.Exec(t.Context(), endless{n: 1000}, query.Request{MaxSamples: 10, MaxBytes: 1 << 20})
	if !errors.Is(err, query.ErrTooManySamples) || stats.Samples != 11 {
		t.Errorf("%v, %+v", err, stats)
	}
	if got, _, err := query.Exec(t.Context(), endless{n: 10}, query.Request{MaxSamples: 10, MaxBytes: 1 << 20}); err != nil || len(got) != 10 {
		t.Errorf("as many as allowed: %d, %v", len(got), err)
	}
}

func TestExecPassesErrorsOn(t *testing.T) {
	cause := errors.New("input/output error")
	got, stats, err := query.Exec(t.Context(), endless{n: 3, err: cause}, query.Request{MaxSamples: 10, MaxBytes: 1 << 20})
	if !errors.Is(err, cause) || got != nil || stats.Samples != 3 {
		t.Errorf("%v, %v, %+v", got, err, stats)
	}
}
