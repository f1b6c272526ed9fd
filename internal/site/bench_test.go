package site_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"testing"

	"manyhands/internal/notebook"
	"manyhands/internal/site"
)

var links = regexp.MustCompile(`\[([^]]+)\]\(\d\d-[^)]*\)`)

// BenchmarkRender renders folders of 10, 100 and 1000 lessons with charts from
// scratch: the pages per second must stay, and memory must not grow with them.
func BenchmarkRender(b *testing.B) {
	notebooks, err := sample()
	if err != nil {
		b.Fatal(err)
	}
	lesson := notebooks["02-threads"]
	// A folder of copies has none of the lessons that it links to.
	for _, cell := range lesson.Cells {
		if cell.Type == notebook.Markdown {
			cell.Source = links.ReplaceAllString(cell.Source, "$1")
		}
	}
	var file bytes.Buffer
	if err := lesson.Encode(&file); err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := newCourse(b, nil)
			for i := range n {
				writeFile(b, c.Path("notebooks", fmt.Sprintf("%02d-copy%d.ipynb", i%100, i)), file.String())
			}
			for b.Loop() {
				b.StopTimer()
				out := filepath.Join(b.TempDir(), "site")
				b.StartTimer()
				if err := site.Render(b.Context(), c, out, site.Options{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "pages/s")
		})
	}
}
