package doctor_test

import (
	"testing"

	"manyhands/internal/course"
	"manyhands/internal/doctor"
)

func BenchmarkCheck(b *testing.B) {
	c, err := course.Find()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		doctor.Check(b.Context(), c)
	}
}
