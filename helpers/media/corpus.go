//go:build unix

package media

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// The corpus: sounds of all genres, artists and containers, well mixed, and then
// some that went wrong.
const (
	sounds  = 44
	seconds = 8
)

var (
	genres     = []string{"Jazz", "Folk", "Baroque", "Techno"}
	artists    = []string{"Ada Lock", "The Waiters", "Quartet Nil", "Fan Out"}
	containers = []string{".flac", ".m4a", ".mp3", ".ogg", ".wav", ".mkv"}
)

// broken are files that went wrong: copies of a whole one that were changed.
var broken = []struct {
	name, of string
	change   func([]byte) []byte
}{
	{"track-45.m4a", "track-02.m4a", half},
	{"track-46.mp3", "track-03.mp3", none},
	{"track-47.ogg", "track-04.ogg", noise},
	{"track-48.flac", "track-01.flac", hole},
}

// half leaves out the end, where the index of an .m4a is.
func half(b []byte) []byte { return b[:len(b)/2] }

// none leaves nothing, as when the disk is full.
func none([]byte) []byte { return nil }

// noise is not what the name says.
func noise(b []byte) []byte {
	var seed [32]byte
	rand.NewChaCha8(seed).Read(b)
	return b
}

// hole spoils the sound: the file seems to be good until somebody decodes it.
func hole(b []byte) []byte {
	clear(b[len(b)/2:][:2000])
	return b
}

// Corpus returns the paths of 48 short media files in six containers, with tags,
// in order. Three of them ffprobe cannot read, and one more ffmpeg cannot convert.
//
// The files are made on all cores the first time, which it tells on progress, and
// kept in the folder manyhands in the user's cache folder ([os.UserCacheDir]).
// An interrupted Corpus goes on where it was when it is called again; several at
// the same time do not disturb each other.
func Corpus(ctx context.Context, progress io.Writer) ([]string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("media: no cache folder is known: %w: set HOME", err)
	}
	names := names()
	// Another version of this package may make others.
	version := crc32.ChecksumIEEE([]byte(fmt.Sprint(names, sound(1), sound(sounds), genres, artists)))
	dir := filepath.Join(cache, "manyhands", fmt.Sprintf("media-%08x", version))
	if err := fill(ctx, dir, names, progress); err != nil {
		return nil, fmt.Errorf("media: make the corpus in %s: %w", dir, err)
	}
	for i, name := range names {
		names[i] = filepath.Join(dir, name)
	}
	return names, nil
}

// names returns the names of all files, whole ones first.
func names() (names []string) {
	for n := range sounds {
		// Steps that differ for genres, artists and containers mix them well.
		container := containers[(n+n/len(genres))%len(containers)]
		names = append(names, fmt.Sprintf("track-%02d%s", n+1, container))
	}
	for _, b := range broken {
		names = append(names, b.name)
	}
	return names
}

// fill makes those of the named files that are not in dir.
func fill(ctx context.Context, dir string, names []string, progress io.Writer) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	absent := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err != nil
	}
	lacking := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !absent(name) })
	if len(lacking) == 0 {
		return nil
	}
	fmt.Fprintf(progress, "making %d short files on %d cores, this once ", len(lacking), runtime.GOMAXPROCS(0))
	defer fmt.Fprintln(progress)
	var dot sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, name := range names[:sounds] {
		if absent(name) {
			group.Go(func() error {
				_, err := render(ctx, filepath.Join(dir, name), sound(i+1)...)
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				dot.Lock()
				defer dot.Unlock()
				fmt.Fprint(progress, ".")
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, b := range broken {
		data, err := os.ReadFile(filepath.Join(dir, b.of))
		if err != nil {
			return err
		}
		err = write(filepath.Join(dir, b.name), func(f *os.File) error {
			_, err := f.Write(b.change(data))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sound returns ffmpeg's inputs for the n-th file, from 1: a tone with a beep every
// second, its tags, and for Matroska a moving picture.
func sound(n int) (args []string) {
	i := n - 1
	source := func(s string) { args = append(args, "-f", "lavfi", "-i", fmt.Sprintf("%s:duration=%d", s, seconds)) }
	source(fmt.Sprintf("sine=frequency=%d:beep_factor=4", 220+10*i))
	if strings.HasSuffix(names()[i], ".mkv") {
		source("testsrc=size=160x120:rate=10")
		args = append(args, "-c:v", "mpeg4", "-c:a", "aac")
	}
	if strings.HasSuffix(names()[i], ".ogg") {
		args = append(args, "-c:a", "flac") // its encoder is in every ffmpeg
	}
	for _, tag := range []string{
		"title=Study No. " + fmt.Sprint(n),
		"artist=" + artists[i/len(genres)%len(artists)],
		"genre=" + genres[i%len(genres)],
	} {
		args = append(args, "-metadata", tag)
	}
	return append(args, "-ac", "2")
}
