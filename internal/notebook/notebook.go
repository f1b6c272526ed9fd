// Package notebook reads, checks and writes Jupyter notebooks.
//
// It exists so that building, rendering and grading the course need no Python: it speaks nbformat 4 in memory and 4.5
// on disk, in the very layout of Python's own nbformat, so that a notebook saved by Jupyter and one saved here differ
// only where their contents do. Fields that it does not know survive a round trip at every level.
//
// The format: https://nbformat.readthedocs.io/en/latest/format_description.html
package notebook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/google/renameio/v2"
)

// The version of the format that [New] makes and [Decode] upgrades older notebooks to.
const (
	Major = 4
	Minor = 5
)

// MaxSize is the size in bytes of the largest notebook that [Read] and [Decode] accept.
const MaxSize = 100 << 20

// ErrTooLarge is the reason for which a notebook of more than [MaxSize] bytes is refused.
var ErrTooLarge = fmt.Errorf("larger than %d MB; clear its outputs and save it again", MaxSize>>20)

// CellType says what a cell holds.
type CellType string

// The types of cell that nbformat 4.5 knows.
const (
	Markdown CellType = "markdown"
	Code     CellType = "code"
	Raw      CellType = "raw"
)

// OutputType says what an output holds.
type OutputType string

// The types of output that nbformat 4.5 knows.
const (
	Stream        OutputType = "stream"
	DisplayData   OutputType = "display_data"
	ExecuteResult OutputType = "execute_result"
	Error         OutputType = "error"
)

// Notebook is a notebook in memory. Numbers that came from a file are [encoding/json.Number] wherever the type is any.
type Notebook struct {
	Metadata      map[string]any
	Cells         []*Cell
	NBFormat      int            // always 4
	NBFormatMinor int            // 5, or more when the file came from the future
	Extra         map[string]any // top-level fields that nbformat 4.5 does not know
}

// Cell is one cell of a notebook. Outputs and ExecutionCount are for code cells only.
type Cell struct {
	ID             string
	Type           CellType
	Source         string
	Metadata       map[string]any
	Outputs        []Output
	ExecutionCount *int                      // nil: not executed
	Attachments    map[string]map[string]any // file name -> MIME type -> contents
	Extra          map[string]any            // fields that nbformat 4.5 does not know; every other field of an unknown type
}

// Output is one output of a code cell; which fields count depends on its type.
type Output struct {
	Type           OutputType
	Name           string         // stream: "stdout" or "stderr"
	Text           string         // stream
	Data           map[string]any // display_data, execute_result: MIME type -> string, or decoded JSON for a JSON type
	Metadata       map[string]any // display_data, execute_result
	ExecutionCount *int           // execute_result
	EName, EValue  string         // error
	Traceback      []string       // error
	Extra          map[string]any // fields that nbformat 4.5 does not know; every other field of an unknown type
}

// New returns an empty notebook of the version that this package writes.
func New() *Notebook {
	return &Notebook{Metadata: map[string]any{}, NBFormat: Major, NBFormatMinor: Minor}
}

// Tags returns the tags in the cell's metadata, in order; values that are no strings are left out.
func (c *Cell) Tags() []string {
	switch tags := c.Metadata["tags"].(type) {
	case []string:
		return slices.Clone(tags)
	case []any:
		var all []string
		for _, tag := range tags {
			if s, ok := tag.(string); ok {
				all = append(all, s)
			}
		}
		return all
	}
	return nil
}

// DeriveID returns a cell id made from a cell's type and source: the same cell has the same id in every run and
// wherever it stands. Ids in taken are avoided, so that the second of two equal cells gets its own; the new id is
// added to taken.
func DeriveID(t CellType, source string, taken map[string]bool) string {
	for n := 0; ; n++ {
		sum := sha256.Sum256([]byte(string(t) + "\x00" + source + "\x00" + strconv.Itoa(n)))
		if id := hex.EncodeToString(sum[:4]); !taken[id] { // as long as Jupyter's own
			taken[id] = true
			return id
		}
	}
}

// Read reads the notebook in the file path. Any nbformat 4 is accepted and upgraded to 4.5 in memory; the errors name
// the file, and where in it.
func Read(path string) (*Notebook, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading a notebook: %w", err)
	}
	defer f.Close()
	nb, err := Decode(f)
	if err != nil {
		if errors.As(err, new(*os.PathError)) { // already names the file
			return nil, fmt.Errorf("reading a notebook: %w", err)
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return nb, nil
}

// Decode reads a notebook from r to its end; see [Read].
func Decode(r io.Reader) (*Notebook, error) {
	if f, ok := r.(interface{ Stat() (os.FileInfo, error) }); ok {
		if info, err := f.Stat(); err == nil && info.Size() > MaxSize {
			return nil, ErrTooLarge
		}
	}
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxSize {
		return nil, ErrTooLarge
	}
	return decode(bytes.TrimPrefix(data, []byte("\ufeff")))
}

// Encode writes the notebook to w in the layout of Python's nbformat: keys sorted, one space of indentation, texts as
// lists of lines, nothing escaped that JSON allows as it is, a line end at the end.
func (nb *Notebook) Encode(w io.Writer) error {
	data, err := encode(nb)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// Write writes the notebook to the file path, whole or not at all: on an error, what was there stays.
func (nb *Notebook) Write(path string) error {
	data, err := encode(nb)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := renameio.WriteFile(path, data, 0o644, renameio.WithExistingPermissions()); err != nil {
		return fmt.Errorf("writing a notebook: %w", err)
	}
	return nil
}
