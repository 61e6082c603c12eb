package api

import "testing"

func TestOddities(t *testing.T) {
	for _, tc := range []struct {
		raw             string
		folded, expects bool
	}{
		{"", false, false},
		{"\r\n", false, false},
		{"Host: a\r\n\r\n", false, false},
		{"Host: e\r\nContent-Length: 1\r\n\r\n", false, false},
		{"Expect: 100-continue\r\nHost: a\r\n\r\n", false, true},
		{"Host: a\r\nexpect: 100-continue\r\n\r\n", false, true},
		{"Host: a\r\n b\r\n\r\n", true, false},
		{"Host: a\r\n\tb\r\nExpect: x\r\n\r\n", true, true},
		{"Host: a\n b\n\n", true, false},
		{"Host: a\r\nX: 1\r\n ", true, false},
	} {
		if folded, expects := oddities([]byte(tc.raw)); folded != tc.folded || expects != tc.expects {
			t.Errorf("%q: folded %t, expects %t", tc.raw, folded, expects)
		}
	}
}
