// The largest number of a big file, by Apache Beam on its embedded runner, prism:
// what lesson 13 does by helpers/cluster, on one of the larger engines. It is a
// module of its own because Beam needs more packages than all of the course.
//
//	go run . --numbers 20000000 --chunks 8
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/local" // where textio writes
	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/textio"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/transforms/stats"
)

// A chunk is a part of a file of float64, little-endian. It travels in place of
// the numbers: every worker has to see the file.
type chunk struct {
	Path     string
	From, To int64 // numbers, not bytes
}

// What workers run has to be known to them by name, as in helpers/cluster.
func init() {
	register.Function2x2(largest)
	register.Function1x1(text)
}

// largest returns the largest number of a chunk.
func largest(_ context.Context, c chunk) (float64, error) {
	file, err := os.Open(c.Path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	part := io.NewSectionReader(file, 8*c.From, 8*(c.To-c.From))
	numbers, largest := bufio.NewReaderSize(part, 64<<10), math.Inf(-1)
	var b [8]byte
	for i := c.From; i < c.To; i++ {
		if _, err := io.ReadFull(numbers, b[:]); err != nil {
			return 0, fmt.Errorf("%s: number %d of %d to %d: %w", c.Path, i, c.From, c.To, err)
		}
		largest = max(largest, math.Float64frombits(binary.LittleEndian.Uint64(b[:])))
	}
	return largest, nil
}

func text(number float64) string { return fmt.Sprint(number) }

// pipeline describes what is to be done, and does nothing of it: the chunks, the
// largest number of each, the largest of those, and where to write it. Without
// Reshuffle a runner may fuse the steps, and one worker would do all chunks.
func pipeline(chunks []chunk, result string) *beam.Pipeline {
	p, s := beam.NewPipelineWithRoot()
	each := beam.ParDo(s, largest, beam.Reshuffle(s, beam.CreateList(s, chunks)))
	textio.Write(s, result, beam.ParDo(s, text, stats.Max(s, each)))
	return p
}

// cut makes n chunks of a file.
func cut(path string, n int64) ([]chunk, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	size := info.Size() / 8
	if size < n || n < 1 {
		return nil, fmt.Errorf("%s: %d numbers cannot be cut into %d chunks", path, size, n)
	}
	chunks := make([]chunk, n)
	for i := range n {
		chunks[i] = chunk{path, i * size / n, (i + 1) * size / n}
	}
	return chunks, nil
}

// fill writes a file of n random numbers, and returns the largest.
func fill(path string, n int) (largest float64, err error) {
	file, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	random, numbers := rand.New(rand.NewPCG(1, 2)), bufio.NewWriterSize(file, 1<<20)
	var b [8]byte
	for range n {
		x := random.Float64()
		largest = max(largest, x)
		binary.LittleEndian.PutUint64(b[:], math.Float64bits(x))
		numbers.Write(b[:])
	}
	return largest, numbers.Flush()
}

// execute runs the pipeline on prism, in this process, and reads the result.
func execute(ctx context.Context, chunks []chunk, result string) (string, error) {
	if _, err := prism.Execute(ctx, pipeline(chunks, result)); err != nil {
		return "", err
	}
	line, err := os.ReadFile(result)
	return strings.TrimSpace(string(line)), err
}

// maximum finds the largest number of a file, in n chunks.
func maximum(ctx context.Context, path string, n int64) (string, error) {
	chunks, err := cut(path, n)
	if err != nil {
		return "", err
	}
	return execute(ctx, chunks, path+".max")
}

func main() {
	numbers := flag.Int("numbers", 20_000_000, "how many `numbers` to search, of 8 bytes each")
	chunks := flag.Int64("chunks", 8, "into how many `chunks` to cut them")
	flag.Parse()
	log.SetupLogging("warn", "text")
	beam.Init()
	if err := run(*numbers, *chunks); err != nil {
		fmt.Fprintln(os.Stderr, "beam:", err)
		os.Exit(1)
	}
}

func run(numbers int, chunks int64) error {
	folder, err := os.MkdirTemp("", "manyhands-beam-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "numbers")
	want, err := fill(path, numbers)
	if err != nil {
		return err
	}
	start := time.Now()
	got, err := maximum(context.Background(), path, chunks)
	if err != nil {
		return err
	}
	fmt.Printf("the largest of %d numbers, in %d chunks by Beam: %s, in %.2f s\n", numbers, chunks, got, time.Since(start).Seconds())
	if got != fmt.Sprint(want) {
		return fmt.Errorf("it is %v", want)
	}
	return nil
}
