package lesson_test

import (
	"fmt"
	"strings"
	"testing"

	"manyhands/internal/lesson"
)

// The cost per byte must be the same for every size; a lesson of the course has some 50 cells.
func BenchmarkParse(b *testing.B) {
	for _, n := range []int{50, 500, 5000} {
		b.Run(fmt.Sprintf("cells=%d", n), func(b *testing.B) {
			var source strings.Builder
			source.WriteString(header)
			for i := range n / 2 {
				fmt.Fprintf(&source, "Paragraph %d.\n%s\n", i, strings.Repeat("A line of text, then another.\n", 10))
				fmt.Fprintf(&source, "```go tags=[\"slide\"]\nn := %d\n%s```\n\n", i, strings.Repeat("fmt.Println(n)\n", 10))
			}
			data := []byte(source.String())
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := lesson.Parse("02-threads.md", data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
