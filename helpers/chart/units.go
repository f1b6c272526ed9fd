package chart

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// A unit is a name and how many of it make one of the quantity's own unit.
type unit struct {
	name  string
	scale float64
}

var times = []unit{{"s", 1}, {"ms", 1e3}, {"µs", 1e6}, {"ns", 1e9}}

// unitFor returns the unit to draw values of up to largest in: for seconds the one in which it is at least 1.
func unitFor(name string, largest float64) unit {
	if name != "s" {
		return unit{name, 1}
	}
	for _, u := range times {
		if largest*u.scale >= 1 {
			return u
		}
	}
	return times[0]
}

// axis is the name of an axis for a quantity in this unit; either may be empty.
func (u unit) axis(quantity string) string {
	if u.name == "" || quantity == "" {
		return quantity + u.name
	}
	return quantity + ", " + u.name
}

// format returns a value, in the quantity's own unit, as text with three significant digits.
func (u unit) format(value float64) string {
	text := number(value * u.scale)
	if u.name == "" {
		return text
	}
	return text + " " + u.name
}

// number formats x with three significant digits, more only where the integer part has more; a whole number as such.
func number(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e9 || !finite(x) {
		return grouped(strconv.FormatFloat(x, 'f', -1, 64))
	}
	return significant(x, 3)
}

// grouped puts a space, at which no line breaks, between the thousands of a whole number that has five digits or more.
func grouped(digits string) string {
	first := strings.IndexAny(digits, "123456789")
	if first < 0 || len(digits)-first < 5 || strings.Trim(digits[first:], "0123456789") != "" {
		return digits
	}
	for i := len(digits) - 3; i > first; i -= 3 {
		digits = digits[:i] + "\u00a0" + digits[i:]
	}
	return digits
}

// significant formats x with n significant digits, without an exponent where that is readable.
func significant(x float64, n int) string {
	if x == 0 || !finite(x) {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	digits := n - 1 - int(math.Floor(math.Log10(math.Abs(x))))
	if digits > 9 {
		return strconv.FormatFloat(x, 'g', n, 64)
	}
	return grouped(strconv.FormatFloat(x, 'f', max(digits, 0), 64))
}

// interval formats the ends of an interval, with a digit more than a value, as they are close to each other.
func (u unit) interval(lo, hi float64) string {
	text := significant(lo*u.scale, 4) + " to " + significant(hi*u.scale, 4)
	if u.name == "" {
		return text
	}
	return text + " " + u.name
}

// duration formats a time in the unit that suits it.
func duration(d time.Duration) string {
	return unitFor("s", d.Seconds()).format(d.Seconds())
}

// ratio formats how many times, with two significant digits, or as many as tell it from 1.
func ratio(x float64) string {
	switch {
	case x >= 9.95:
		return number(math.Round(x)) + "×"
	case x > 0.9 && x < 1.1:
		return strconv.FormatFloat(x, 'f', 2, 64) + "×"
	case x > 0 && x <= 0.9:
		return significant(x, 2) + "×"
	}
	return strconv.FormatFloat(x, 'f', 1, 64) + "×"
}

func percent(share float64) string {
	if share > 0 && share < 0.005 {
		return significant(100*share, 1) + " %"
	}
	return strconv.Itoa(int(math.Round(100*share))) + " %"
}

// precision is a number of decimal digits that tells some 5000 values up to largest apart: what a picture can show,
// in few bytes.
func precision(largest float64) int {
	if largest <= 0 || !finite(largest) {
		return 0
	}
	return max(0, 4-int(math.Floor(math.Log10(largest))))
}

// round rounds x to a number of decimal digits.
func round(x float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(x*p) / p
}
