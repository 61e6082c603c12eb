package record

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestVerificationSummary(t *testing.T) {
	tests := []struct {
		name string
		v    Verification
		want string
		ok   bool
	}{
		{
			"all is well",
			Verification{Accepted: 184_203, Read: 184_207, Ambiguous: 7, Recovered: 4, LossRateBound: 3.0 / 184_203, Drained: true},
			"accepted 184,203  lost 0  duplicated 0  phantom 0  zombie 0  ambiguous 7 (4 stored)   loss rate ≤ 1.6e-5 (95 %)",
			true,
		},
		{
			"losses",
			Verification{Accepted: 1000, Lost: 123, LostPrefix: 1, LostMiddle: 2, LostTail: 120, LossRateBound: 0.1415, Drained: true},
			"accepted 1,000  lost 123 (prefix 1, middle 2, tail 120)  duplicated 0  phantom 0  zombie 0  ambiguous 0   loss rate ≤ 1.4e-1 (95 %)",
			false,
		},
		{
			"nothing accepted, and doubts",
			Verification{LossRateBound: 1, Unchecked: 1_234_567},
			"accepted 0  lost 0  duplicated 0  phantom 0  zombie 0  ambiguous 0   1,234,567 unchecked: beyond the ledger   read before the server had drained",
			true,
		},
		{
			"everything else that is wrong",
			Verification{Accepted: 3, Duplicated: 1, SurplusCopies: 2, Phantom: 4, Zombie: 5, LossRateBound: 1, Drained: true},
			"accepted 3  lost 0  duplicated 1  phantom 4  zombie 5  ambiguous 0   loss rate ≤ 1.0e0 (95 %)",
			false,
		},
	}
	for _, tt := range tests {
		if got := tt.v.Summary(); got != tt.want {
			t.Errorf("%s:\n%s, want\n%s", tt.name, got, tt.want)
		}
		if tt.v.OK() != tt.ok {
			t.Errorf("%s: OK is %t", tt.name, tt.v.OK())
		}
	}
}

func TestEachKindOfFaultAloneIsNotOK(t *testing.T) {
	for _, v := range []Verification{{Lost: 1}, {Duplicated: 1}, {Phantom: 1}, {Zombie: 1}} {
		if v.OK() {
			t.Errorf("%+v is OK", v)
		}
	}
}

func TestVerificationSurvivesJSON(t *testing.T) {
	v := Verification{Accepted: 10, Lost: 1, LostTail: 1, LossRateBound: 0.394, Examples: Examples{Lost: []string{"loadgen_ab12cd34_3 value 17"}}}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var back Verification
	if err := json.Unmarshal(data, &back); err != nil || !reflect.DeepEqual(v, back) {
		t.Errorf("%v: %s", err, data)
	}
	if text := string(data); !strings.Contains(text, `"lost_tail":1`) || strings.Contains(text, "phantom\":[") {
		t.Errorf("got %s", text)
	}
}
