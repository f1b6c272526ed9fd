package notebook

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

var validID = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// ValidID tells whether id may be that of a cell: 1 to 64 letters, digits, - and _.
func ValidID(id string) bool { return validID.MatchString(id) }

// cellName names the cell at index i (from 0) as people count, and by its id.
func cellName(i int, c *Cell) string {
	if c == nil || c.ID == "" {
		return fmt.Sprintf("cell %d", i+1)
	}
	return fmt.Sprintf("cell %d (id %q)", i+1, c.ID)
}

// Validate checks the notebook against the schema of nbformat 4.5 and against what the schema cannot say: that cell
// ids are unique. It returns everything that is wrong, joined by [errors.Join], each with the number (from 1) and id of
// its cell. Unknown fields are allowed only in a notebook of a later minor version, as in Python's nbformat.
func (nb *Notebook) Validate() error {
	v := validator{lenient: nb.NBFormatMinor > Minor}
	if nb.NBFormat != Major || nb.NBFormatMinor < Minor {
		v.fail("nbformat is %d.%d instead of %d.%d", nb.NBFormat, nb.NBFormatMinor, Major, Minor)
	}
	v.unknown(nb.Extra)
	v.field(nb.Metadata, "title", "a string", isType[string])
	v.field(nb.Metadata, "authors", "a list", isType[[]any])
	v.info(nb.Metadata, "kernelspec", "name", "display_name")
	v.info(nb.Metadata, "language_info", "name")
	ids := map[string]int{}
	for i, c := range nb.Cells {
		v.where = cellName(i, c) + ": "
		v.cell(c)
		if first, ok := ids[c.ID]; ok {
			v.fail("the id is already that of cell %d; give one of them another", first)
		} else {
			ids[c.ID] = i + 1
		}
	}
	return errors.Join(v.errs...)
}

// A validator collects what is wrong.
type validator struct {
	lenient bool   // fields and types of a later minor version are allowed
	where   string // put before every error
	errs    []error
}

func (v *validator) fail(format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf("%s"+format, append([]any{v.where}, args...)...))
}

func (v *validator) unknown(extra map[string]any) {
	if v.lenient {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(extra)) {
		v.fail("nbformat %d.%d has no field %q here; move it into the metadata", Major, Minor, key)
	}
}

// field checks a field of a metadata object, if it is there.
func (v *validator) field(m map[string]any, key, want string, ok func(any) bool) {
	if value, is := m[key]; is && !ok(value) {
		v.fail("the metadata's %q must be %s", key, want)
	}
}

func isType[T any](v any) bool {
	_, ok := v.(T)
	return ok
}

// info checks an object in the notebook's metadata that must have the required fields.
func (v *validator) info(m map[string]any, key string, required ...string) {
	value, ok := m[key]
	if !ok {
		return
	}
	info, ok := value.(map[string]any)
	if !ok {
		v.fail("the metadata's %q must be an object", key)
		return
	}
	for _, name := range required {
		if !isType[string](info[name]) {
			v.fail("the metadata's %q must have a %q that is a string", key, name)
		}
	}
	if key == "language_info" {
		for _, name := range []string{"file_extension", "mimetype", "pygments_lexer"} {
			v.field(info, name, "a string", isType[string])
		}
		v.field(info, "codemirror_mode", "a string or an object", func(v any) bool {
			return isType[string](v) || isType[map[string]any](v)
		})
	}
}

func (v *validator) cell(c *Cell) {
	if !ValidID(c.ID) {
		v.fail("the id must be 1 to 64 letters, digits, - and _")
	}
	v.field(c.Metadata, "name", "a string that is not empty", func(v any) bool { s, ok := v.(string); return ok && s != "" })
	v.field(c.Metadata, "tags", "a list of different strings, not empty and without commas", validTags)
	v.field(c.Metadata, "jupyter", "an object", isType[map[string]any])
	v.unknown(c.Extra)
	v.count(c.ExecutionCount)
	switch c.Type {
	case Code:
		v.field(c.Metadata, "execution", "an object of strings", isStrings)
		v.field(c.Metadata, "collapsed", "a boolean", isType[bool])
		v.field(c.Metadata, "scrolled", `a boolean or "auto"`, func(v any) bool { return v == "auto" || isType[bool](v) })
		if c.Attachments != nil {
			v.fail("a code cell cannot have attachments")
		}
		for i := range c.Outputs {
			where := v.where
			v.where += fmt.Sprintf("output %d: ", i+1)
			v.output(&c.Outputs[i])
			v.where = where
		}
	case Raw:
		v.field(c.Metadata, "format", "a string", isType[string])
		fallthrough
	case Markdown:
		if len(c.Outputs) > 0 || c.ExecutionCount != nil {
			v.fail("only a code cell can have outputs and an execution count")
		}
		for _, name := range slices.Sorted(maps.Keys(c.Attachments)) {
			v.bundle(c.Attachments[name])
		}
	default:
		if !v.lenient {
			v.fail("unknown cell type %q", c.Type)
		}
	}
}

func (v *validator) output(o *Output) {
	v.unknown(o.Extra)
	v.count(o.ExecutionCount)
	switch o.Type {
	case DisplayData, ExecuteResult:
		v.bundle(o.Data)
	case Stream, Error:
	default:
		if !v.lenient {
			v.fail("unknown output type %q", o.Type)
		}
	}
}

func (v *validator) count(n *int) {
	if n != nil && *n < 0 {
		v.fail("the execution count is negative")
	}
}

func (v *validator) bundle(bundle map[string]any) {
	for _, mime := range slices.Sorted(maps.Keys(bundle)) {
		if !isJSON(mime) && !isType[string](bundle[mime]) {
			v.fail("the contents of type %s must be a string or a list of strings", mime)
		}
	}
}

func validTags(v any) bool {
	c := Cell{Metadata: map[string]any{"tags": v}}
	tags := c.Tags()
	if list, ok := v.([]any); ok && len(list) != len(tags) || tags == nil && !ok {
		return false
	}
	for i, tag := range tags {
		if tag == "" || strings.Contains(tag, ",") || slices.Contains(tags[:i], tag) {
			return false
		}
	}
	return true
}

func isStrings(v any) bool {
	m, ok := v.(map[string]any)
	for _, value := range m {
		ok = ok && isType[string](value)
	}
	return ok
}
