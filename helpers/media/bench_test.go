//go:build unix

package media_test

import (
	"path/filepath"
	"testing"

	"manyhands/helpers/media"
)

func BenchmarkProbe(b *testing.B) {
	path := corpus(b)["track-01.flac"]
	for b.Loop() {
		if _, err := media.Probe(b.Context(), path); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkConvert(b *testing.B) {
	path, to := corpus(b)["track-01.flac"], filepath.Join(b.TempDir(), "a.m4a")
	for b.Loop() {
		if _, err := media.Convert(b.Context(), path, to); err != nil {
			b.Fatal(err)
		}
	}
}
