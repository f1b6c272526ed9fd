package chart

import (
	"math"
	"testing"
)

// TestLongNumbers looks at what is too long to be read in one go.
func TestLongNumbers(t *testing.T) {
	for x, want := range map[float64]string{
		9999: "9999", 10000: "10\u00a0000", -123456: "-123\u00a0456", 2776068: "2\u00a0776\u00a0068", 55354.6: "55\u00a0355",
		1234.56: "1235", 0.0001234: "0.000123", 1e-12: "1e-12", math.Inf(1): "+Inf", -12345678.9: "-12\u00a0345\u00a0679",
	} {
		if got := number(x); got != want {
			t.Errorf("number(%v) is %q, want %q", x, got, want)
		}
	}
}

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
