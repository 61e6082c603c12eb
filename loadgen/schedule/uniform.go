package schedule

import (
	"math"
	"time"
)

// uniform has request i due where a profile amounts to i.
type uniform struct {
	profile
	due int64 // within the planned time
	n   int64
}

func newUniform(p Plan) *uniform {
	u := &uniform{profile: newProfile(p.phases())}
	u.due = int64(math.Ceil(u.requests))
	u.n = limited(u.due, p.Limit)
	return u
}

func limited(n, limit int64) int64 {
	if limit > 0 {
		return min(n, limit)
	}
	return n
}

// Due implements Schedule.
func (u *uniform) Due(i int64) time.Duration {
	if i >= u.due {
		return u.total
	}
	return u.at(float64(i))
}

// Len implements Schedule.
func (u *uniform) Len() int64 { return u.n }
