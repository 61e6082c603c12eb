package api

import "testing"

func TestMayExpect(t *testing.T) {
	for raw, want := range map[string]bool{
		"":                                     false,
		"Host: no end":                         false,
		"\r\n":                                 false,
		"Host: e\r\n\r\n":                      false,
		"Host: a\r\nContent-Length: 1\r\n\r\n": false,
		"Expect: 100-continue\r\nHost: a\r\n\r\n": true,
		"Host: a\r\nexpect: 100-continue\r\n\r\n": true,
	} {
		if got := mayExpect([]byte(raw)); got != want {
			t.Errorf("%q: %t", raw, got)
		}
	}
}
