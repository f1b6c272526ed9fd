package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/ptest"
)

func TestMain(m *testing.M) { ptest.Main(m) }

func TestMaximum(t *testing.T) {
	path := filepath.Join(t.TempDir(), "numbers")
	want, err := fill(path, 100_003)
	if err != nil {
		t.Fatal(err)
	}
	for _, chunks := range []int64{1, 8, 100} {
		got, err := maximum(t.Context(), path, chunks)
		if err != nil {
			t.Fatal(err)
		}
		if got != fmt.Sprint(want) {
			t.Errorf("%d chunks: the largest is %s, want %v", chunks, got, want)
		}
	}
}

// TestFailure has a worker that cannot read its chunk, or not all of it: the reason
// comes home.
func TestFailure(t *testing.T) {
	folder := t.TempDir()
	short := filepath.Join(folder, "short")
	if err := os.WriteFile(short, make([]byte, 12), 0o666); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]chunk{
		"away":         {Path: filepath.Join(folder, "away"), To: 1},
		"number 1 of ": {Path: short, To: 1000},
		"number 7 of ": {Path: short, From: 7, To: 9},
	} {
		_, err := execute(t.Context(), []chunk{c}, filepath.Join(folder, "max"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
}

func TestTooManyChunks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "numbers")
	if _, err := fill(path, 3); err != nil {
		t.Fatal(err)
	}
	for _, chunks := range []int64{0, 4} {
		if _, err := maximum(t.Context(), path, chunks); err == nil {
			t.Errorf("3 numbers were cut into %d chunks", chunks)
		}
	}
}

// TestLesson holds the pipeline as lesson 13 shows it against the one that runs.
func TestLesson(t *testing.T) {
	var texts [2]string
	for i, path := range []string{"main.go", filepath.Join("..", "13-cluster.md")} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = strings.ReplaceAll(string(text), "\n\t", "\n")
	}
	_, shown, _ := strings.Cut(texts[1], "```go .noeval\n")
	shown, _, _ = strings.Cut(shown, "```")
	if !strings.Contains(shown, "beam.ParDo") || !strings.Contains(texts[0], shown) {
		t.Errorf("main.go does not have what the lesson shows:\n%s", shown)
	}
}
