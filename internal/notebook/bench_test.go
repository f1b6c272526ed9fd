package notebook_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"manyhands/internal/notebook"
)

// sized returns a notebook of n cells with a kilobyte or so of source and output each.
func sized(n int) *notebook.Notebook {
	nb := notebook.New()
	for i := range n {
		nb.Cells = append(nb.Cells, &notebook.Cell{
			ID: fmt.Sprint("cell-", i), Type: notebook.Code, Source: strings.Repeat("fmt.Println(\"hello\")\n", 25),
			Outputs: []notebook.Output{
				{Type: notebook.Stream, Name: "stdout", Text: strings.Repeat("hello, <world>\n", 25)},
				{Type: notebook.DisplayData, Data: map[string]any{"application/json": map[string]any{"data": []float64{1.5, 2, 3}}}},
			},
		})
	}
	return nb
}

// The cost per byte must be the same for every size.
var sizes = []int{100, 1000, 10000}

func BenchmarkDecode(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("cells=%d", n), func(b *testing.B) {
			var data bytes.Buffer
			if err := sized(n).Encode(&data); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(data.Len()))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := notebook.Decode(bytes.NewReader(data.Bytes())); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("cells=%d", n), func(b *testing.B) {
			nb := sized(n)
			var data bytes.Buffer
			if err := nb.Encode(&data); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(data.Len()))
			b.ReportAllocs()
			for b.Loop() {
				if err := nb.Encode(io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
