package experiment

import "phase0/bench/trial"

func (f *Findings) conclude(p Plan, trials []trial.Result) {}
