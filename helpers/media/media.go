//go:build unix

// Package media gives a lesson real work for other programs: a folder of short
// media files, made on the spot, and ffprobe and ffmpeg to read and convert them.
//
//	var ctx = media.Context() // ends at Ctrl-C
//
//	paths, err := media.Corpus(ctx, os.Stdout)
//	file, err := media.Probe(ctx, paths[0])
//	usage, err := media.Convert(ctx, file.Path, "song.m4a")
//
// Each function does its work in one goroutine ([Corpus] alone uses all cores):
// to share it out is what the lesson is about. Whatever they start ends with
// their context, with all that it has started in turn, and a file is either
// whole or not there.
//
// # Cost
//
// Starting ffprobe or ffmpeg takes most of a Probe, 50 to 100 ms of a core, and
// a quarter of a Convert of the corpus (BenchmarkProbe, BenchmarkConvert). Each
// process under way keeps a thread of this program. The corpus is 15 MB.
package media

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrMissing says that ffmpeg or ffprobe is not on PATH.
var ErrMissing = errors.New("ffmpeg is not here: apt-get install ffmpeg (Debian, Ubuntu) or brew install ffmpeg (macOS), " +
	"then run the cell again; the published page shows a recorded run")

// Context returns the context for a cell's work with ffmpeg, or for a program's:
// an interrupt (Ctrl-C, or Jupyter's stop button) ends it, and nothing else. A
// second interrupt must not end the program half-way through cleaning up, as one
// press of the button can bring two: from Jupyter, which interrupts the process
// group, and from GoNB. A cell that does not end by itself GoNB kills.
//
// A lesson declares it once, as a package-level variable, which GoNB initialises
// in every cell from there on.
//
// Where ffmpeg is missing, it prints [ErrMissing] and ends the program, as a
// success: the reader goes on with the recorded run.
func Context() context.Context {
	for _, program := range []string{"ffmpeg", "ffprobe"} {
		if _, err := exec.LookPath(program); err != nil {
			fmt.Println(ErrMissing)
			os.Exit(0)
		}
	}
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt)
	return ctx
}

// A File is what ffprobe tells of a media file. A tag that it lacks is empty.
type File struct {
	Path                 string
	Container            string // as ffprobe calls it, such as "flac" or "matroska,webm"
	Title, Artist, Genre string
	Length               time.Duration // 0 if unknown
}

// Probe asks ffprobe about a file. The error names the file and says what
// ffprobe found wrong; the file's Path is set in any case.
func Probe(ctx context.Context, path string) (File, error) {
	file := File{Path: path}
	out, _, err := run(ctx, "ffprobe", "-v", "error", "-of", "json",
		"-show_entries", "format=format_name,duration:format_tags:stream_tags", "file:"+path)
	if err != nil {
		return file, fmt.Errorf("probe %s: %w", filepath.Base(path), err)
	}
	type tagged struct{ Tags map[string]string }
	var answer struct {
		Format struct {
			tagged
			Name     string `json:"format_name"`
			Duration string // in seconds
		}
		Streams []tagged
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return file, fmt.Errorf("probe %s: the answer of ffprobe: %w", filepath.Base(path), err)
	}
	seconds, _ := strconv.ParseFloat(answer.Format.Duration, 64) // "N/A" for some containers
	file.Container = answer.Format.Name
	file.Length = time.Duration(seconds * float64(time.Second))
	// Some containers tag the file and others, such as Ogg, its streams.
	for _, part := range append([]tagged{answer.Format.tagged}, answer.Streams...) {
		file.Title = cmp.Or(file.Title, tag(part.Tags, "title"))
		file.Artist = cmp.Or(file.Artist, tag(part.Tags, "artist"))
		file.Genre = cmp.Or(file.Genre, tag(part.Tags, "genre"))
	}
	return file, nil
}

// tag returns a tag's value; containers disagree about capital letters.
func tag(tags map[string]string, name string) string {
	for key, value := range tags {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}

// Usage is what a process, with those it waited for, has taken.
type Usage struct {
	CPU       time.Duration // of all cores together
	Memory    int64         // in bytes, at its peak: what was in memory, shared libraries included
	Preempted int64         // how often it lost its core to others (involuntary context switches)
}

// Convert has ffmpeg, on one thread, put the sound of a file into another, in the
// format that the ending of its name asks for, such as .m4a. What cannot be
// decoded to the end is an error that names the file.
//
// ffmpeg writes to a hidden file beside to, which gets that name only when it is
// whole, and which is removed otherwise.
func Convert(ctx context.Context, from, to string) (Usage, error) {
	usage, err := render(ctx, to, "-i", "file:"+from, "-vn")
	if err != nil {
		return usage, fmt.Errorf("convert %s: %w", filepath.Base(from), err)
	}
	return usage, nil
}

// render has ffmpeg make the file to, whole or not at all, of its inputs.
func render(ctx context.Context, to string, inputs ...string) (usage Usage, err error) {
	err = write(to, func(part *os.File) error {
		args := append([]string{"-nostdin", "-v", "error", "-xerror", "-threads", "1"}, inputs...)
		_, usage, err = run(ctx, "ffmpeg", append(args, "-threads", "1", "-y", "file:"+part.Name())...)
		return err
	})
	return usage, err
}

// write makes a file by fill under a hidden name of the same ending, by which
// ffmpeg knows the format, and renames it when it is whole. (renameio's names
// have another ending.)
func write(path string, fill func(*os.File) error) error {
	part, err := os.CreateTemp(filepath.Dir(path), ".part-*"+filepath.Ext(path))
	if err != nil {
		return err
	}
	defer os.Remove(part.Name()) // of no use after the renaming
	err = fill(part)
	if err == nil {
		err = part.Chmod(0o644)
	}
	if err == nil {
		err = part.Sync() // a file that is there after a crash has to be whole, too
	}
	part.Close()
	if err != nil {
		return err
	}
	return os.Rename(part.Name(), path)
}
