package chart

import "testing"

// TestSmall looks at how what is far below 1 is told: never as nothing.
func TestSmall(t *testing.T) {
	for x, want := range map[float64]string{0.0287: "0.029×", 0.48: "0.48×", 0.94: "0.94×", 1.5: "1.5×", 88.6: "89×", 0: "0.0×"} {
		if got := ratio(x); got != want {
			t.Errorf("ratio(%v) is %s, want %s", x, got, want)
		}
	}
	for share, want := range map[float64]string{0.0044: "0.4 %", 0.005: "1 %", 0.58: "58 %", 1: "100 %", 0: "0 %"} {
		if got := percent(share); got != want {
			t.Errorf("percent(%v) is %s, want %s", share, got, want)
		}
	}
}
