package experiment

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"phase0/bench/trial"
)

func TestParseArm(t *testing.T) {
	tests := []struct {
		text, name string
		args       []string
		fault      string
	}{
		{text: "single", name: "single", args: []string{"-mode", "single"}},
		{text: "mode=concurrent", name: "concurrent", args: []string{"-mode", "concurrent"}},
		{text: "mode=single,queue=bounded", name: "single,queue=bounded", args: []string{"-mode", "single", "-queue=bounded"}},
		{text: "concurrent,queue-limit=20000", name: "concurrent,queue-limit=20000", args: []string{"-mode", "concurrent", "-queue-limit=20000"}},
		{text: "", fault: "known: concurrent, single"},
		{text: "double", fault: "known: concurrent, single"},
		{text: "queue=memory", fault: "starts with a mode"},
		{text: "single,queue=quick", fault: "known: bounded, memory"},
		{text: "single,queue", fault: "not KEY=VALUE"},
		{text: "single,queue=", fault: "not KEY=VALUE"},
		{text: "single,-queue=memory", fault: "not KEY=VALUE"},
		{text: "single,queue=memory,queue=bounded", fault: "queue stands twice"},
		{text: "single,mode=concurrent", fault: "mode stands twice"},
		{text: "single,addr=:80", fault: "set by bench itself"},
	}
	for _, tt := range tests {
		a, err := ParseArm(tt.text)
		if tt.fault != "" {
			if !errors.Is(err, ErrArm) || !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("%q: %v, want %q", tt.text, err, tt.fault)
			}
			continue
		}
		if err != nil || a.Name != tt.name || !slices.Equal(a.ServerArgs, tt.args) {
			t.Errorf("%q: %+v, %v", tt.text, a, err)
		}
	}
}

func TestParseForeign(t *testing.T) {
	if name, command, err := ParseForeign("nginx=nginx -c {dir}/a=b"); err != nil || name != "nginx" || command != "nginx -c {dir}/a=b" {
		t.Errorf("%q, %q, %v", name, command, err)
	}
	for _, text := range []string{"nginx", "=nginx", "a b=nginx", "nginx= ", "x/y=nginx"} {
		if _, _, err := ParseForeign(text); !errors.Is(err, ErrArm) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestValidateArms(t *testing.T) {
	if err := ValidateArms(append(DefaultArms(), modeArm("single"))); err == nil || !strings.Contains(err.Error(), `two arms are named "single"`) {
		t.Errorf("twice the same: %v", err)
	}
	if err := ValidateArms([]trial.Arm{{Name: "mine-aa"}}); err == nil {
		t.Error("the name of a control is free to take")
	}
	if err := ValidateArms(make([]trial.Arm, maxArms+1)); err == nil {
		t.Error("any number of arms will do")
	}
}

// Each component alone, and one after another, whatever the presets are.
func TestRungs(t *testing.T) {
	from, err := ParseArm("single,alerting=poll")
	if err != nil {
		t.Fatal(err)
	}
	to, err := ParseArm("single,ingest=concurrent,storage=batched")
	if err != nil {
		t.Fatal(err)
	}
	alone, stacked := rungs(from, to)
	if got := names(alone); got != "single,alerting=poll,ingest=concurrent single,alerting=poll,storage=batched" {
		t.Errorf("alone: %s", got)
	}
	if got := names(stacked); got != "single,alerting=poll,ingest=concurrent single,alerting=poll,ingest=concurrent,storage=batched" {
		t.Errorf("stacked: %s", got)
	}
	if got := uniqueArms([]trial.Arm{from}, alone, stacked); len(got) != 4 {
		t.Errorf("arms of the ladder: %s", names(got))
	}
	if alone, stacked := rungs(from, trial.Arm{Name: "x", Command: "x"}); alone != nil || stacked != nil {
		t.Error("a ladder to a server that is not ours")
	}
}

// What a mode stood for when it was measured counts, not what it stands for today; files
// from before that was stored polled in both modes.
func TestPresetIsThatOfTheRun(t *testing.T) {
	arm := modeArm(ArmConcurrent)
	if c, ok := components(arm); !ok || c.Alerting != "stream" {
		t.Errorf("today: %v, %v", c, ok)
	}
	arm.Preset = map[string]string{"queue": "memory"}
	arm.ServerArgs = append(arm.ServerArgs, "-storage=jsonl")
	if c, ok := components(arm); !ok || c.Queue != "memory" || c.Storage != "jsonl" || c.Ingest != "concurrent" {
		t.Errorf("another preset: %v, %v", c, ok)
	}
	old := []trial.Arm{{Name: ArmSingle, ServerArgs: []string{"-mode", ArmSingle}}, {Name: ArmConcurrent, ServerArgs: []string{"-mode", ArmConcurrent}}}
	if got := sameMechanism(old[0], old[1], "alerting"); got != "alerting=poll" {
		t.Errorf("an old file: %q", got)
	}
	cases := func(arms []trial.Arm) (all []string) {
		for _, task := range ladderTasks(Full(), arms) {
			all = append(all, task.Case)
		}
		return all
	}
	if got := cases(old); slices.Contains(got, LadderAlert) || len(got) != 4 {
		t.Errorf("the ladder of an old file has %v", got)
	}
	if got := cases(DefaultArms()); !slices.Contains(got, LadderAlert) || len(got) != 5 {
		t.Errorf("the ladder has %v", got)
	}
}

func names(arms []trial.Arm) string {
	var all []string
	for _, a := range arms {
		all = append(all, a.Name)
	}
	return strings.Join(all, " ")
}

func TestPlanWithForeignArms(t *testing.T) {
	arms := append(DefaultArms(), trial.Arm{Name: "nginx", Command: "nginx {port}"})
	plan := NewPlan(Full(), arms, 1)
	for _, task := range plan.Tasks {
		takes := slices.ContainsFunc(task.Arms, func(a trial.Arm) bool { return a.Name == "nginx" })
		if takes != lookup(task.Experiment).foreign {
			t.Errorf("%s: nginx takes part: %v", task.Name(), takes)
		}
	}
	only := NewPlan(Quick(), arms[2:], 1)
	for _, task := range only.Tasks {
		if task.Experiment == Ingest && names(task.Arms) != "nginx nginx-aa" {
			t.Errorf("alone it is compared as %s", names(task.Arms))
		}
	}
	ids := map[string]bool{}
	for _, c := range claims(plan.Tasks) {
		if ids[c.id()] {
			t.Errorf("two claims are called %s", c.id())
		}
		ids[c.id()] = true
	}
	if !ids["ingest/connections=64/rps/nginx"] || !ids["ingest/connections=64/rps/concurrent-aa/control"] {
		t.Errorf("claims: %v", ids)
	}
}
