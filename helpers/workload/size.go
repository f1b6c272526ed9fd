package workload

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"manyhands/internal/memory"
)

// Scale returns the factor in the environment variable MANYHANDS_SCALE, 1 if it
// is not set. It panics if the variable is not a positive number.
func Scale() float64 {
	text := os.Getenv("MANYHANDS_SCALE")
	if text == "" {
		return 1
	}
	scale, err := strconv.ParseFloat(text, 64)
	if err != nil || !(scale > 0) || math.IsInf(scale, 1) {
		panic(fmt.Sprintf("workload: MANYHANDS_SCALE=%q: set it to a positive number such as 0.1, or not at all", text))
	}
	return scale
}

// Scaled returns n times the [Scale], at least 1.
func Scaled(n int) int {
	const most = 1 << 40 // more than any memory holds, and within int
	return int(min(max(1, math.Round(float64(n)*Scale())), most))
}

// A Size is how many items of work suit this machine, and why so many.
type Size struct {
	N   int
	Why string
}

// String returns the number and the reason.
func (s Size) String() string { return grouped(s.N) + ": " + s.Why }

// Fit returns n times the [Scale], or as many items of the given bytes as fit
// into half of the memory that is free, if that is less. The other half is for
// the lesson's copies and for everybody else.
func Fit(n, bytes int) Size {
	size := Size{N: Scaled(n), Why: "the size for a class"}
	if s := Scale(); s != 1 {
		size.Why = fmt.Sprintf("the size for a class, %s, × MANYHANDS_SCALE=%g", grouped(n), s)
	}
	free, source := memory.Free()
	if most := free / 2 / uint64(bytes); uint64(size.N) > most {
		size.Why = fmt.Sprintf("instead of %s, so as to take half of the %s of %s", grouped(size.N), gigabytes(free), source)
		size.N = max(1, int(most))
	}
	size.Why += fmt.Sprintf(" (%s)", gigabytes(uint64(size.N)*uint64(bytes)))
	return size
}

func gigabytes(bytes uint64) string {
	if bytes < 1e9 {
		return fmt.Sprintf("%.3g MB", float64(bytes)/1e6)
	}
	return fmt.Sprintf("%.3g GB", float64(bytes)/1e9)
}

// grouped writes n with a space between thousands, as the lessons do.
func grouped(n int) string {
	digits := strconv.Itoa(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(d)
	}
	return b.String()
}
