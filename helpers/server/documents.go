package server

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image/jpeg"
	"io"
	"math"
	"sync"

	"manyhands/helpers/workload"
)

// A document is what a server has at a path.
type document struct {
	path, mime string
	content    io.ReaderAt
	size       int64
}

// Sleepy returns a server that takes limits.Takes for every request and then says
// so in a line of text, at the path "/". A query may tell requests apart in the log.
func Sleepy(limits Limits) *Server {
	text := fmt.Sprintf("slept %v\n", limits.Takes)
	return newServer(limits, document{"/", "text/plain; charset=utf-8", bytes.NewReader([]byte(text)), int64(len(text))})
}

// Files returns a server of five files with the [FileSizes] for scale, at the
// paths "/1.bin" to "/5.bin". Every byte follows from the file and its offset, so
// the files are the same everywhere and take no memory; they do not compress.
// Parts can be asked for (Range, RFC 9110, section 14).
func Files(scale float64, limits Limits) *Server {
	var files []document
	for i, size := range FileSizes(scale) {
		files = append(files, document{fmt.Sprintf("/%d.bin", i+1), "application/octet-stream", noise(i + 1), size})
	}
	return newServer(limits, files...)
}

// FileSizes returns the sizes of the five downloads of this course, in bytes, times
// scale, which must be positive: at scale 1, 19 111, 71 970, 150 184, 1 100 000 and
// 52 350 859. None is less than 1.
func FileSizes(scale float64) []int64 {
	sizes := []int64{19_111, 71_970, 150_184, 1_100_000, 52_350_859}
	if !(scale > 0) || scale > 1e9 {
		panic(fmt.Errorf("server: files %v times their size: give a positive number such as 0.1", scale))
	}
	for i, size := range sizes {
		sizes[i] = max(1, int64(math.Round(float64(size)*scale)))
	}
	return sizes
}

// Images returns a server of ten different JPEG pictures of 320 × 240 pixels, at the paths
// "/1.jpg" to "/10.jpg": those of [workload.Picture] with the seeds 1 to 10.
func Images(limits Limits) *Server { return newServer(limits, pictures()...) }

// pictures encodes the images once for all servers of a cell, ahead of the first
// request, whose time it would spoil.
var pictures = sync.OnceValue(func() []document {
	var pictures []document
	for i := range 10 {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, workload.Picture(320, 240, uint64(i+1)), nil); err != nil {
			panic(fmt.Errorf("server: encode picture %d: %w", i+1, err)) // too large for JPEG, which it is not
		}
		pictures = append(pictures, document{fmt.Sprintf("/%d.jpg", i+1), "image/jpeg", bytes.NewReader(b.Bytes()), int64(b.Len())})
	}
	return pictures
})

// noise is an endless content of random bytes, different for each number: eight
// at a time are the hash of their place, by the finalizer of SplitMix64 (Steele,
// Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
type noise uint64

func (seed noise) ReadAt(p []byte, offset int64) (int, error) {
	const gamma = 0x9e3779b97f4a7c15
	place := uint64(offset) / 8
	skip := int(offset % 8)
	var word [8]byte
	for n := 0; n < len(p); place++ {
		x := (uint64(seed)<<40 + place + 1) * gamma
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		binary.LittleEndian.PutUint64(word[:], x^x>>31)
		n += copy(p[n:], word[skip:])
		skip = 0
	}
	return len(p), nil
}
