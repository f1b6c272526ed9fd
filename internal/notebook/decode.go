package notebook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// decode makes a notebook from JSON.
func decode(data []byte) (*Notebook, error) {
	root, err := parseJSON(data)
	if err != nil {
		return nil, err
	}
	fields, ok := root.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("not a notebook: the file holds %s instead of an object", kind(root))
	}
	d := decoder{fields: fields}
	nb := &Notebook{NBFormat: d.int("nbformat"), NBFormatMinor: d.int("nbformat_minor")}
	switch {
	case d.err != nil:
		return nil, fmt.Errorf("not a notebook: %w", d.err)
	case nb.NBFormat != Major:
		return nil, fmt.Errorf("nbformat %d.%d is not supported, only nbformat 4; convert it with: "+
			"jupyter nbconvert --to notebook --nbformat 4 FILE", nb.NBFormat, nb.NBFormatMinor)
	}
	nb.Metadata = d.object("metadata")
	cells := d.list("cells")
	nb.Extra = d.rest()
	if d.err != nil {
		return nil, d.err
	}
	for _, key := range transientNotebook {
		delete(nb.Metadata, key)
	}
	nb.Cells = make([]*Cell, len(cells))
	for i, v := range cells {
		if nb.Cells[i], err = decodeCell(v); err != nil {
			return nil, fmt.Errorf("%s: %w", cellName(i, nb.Cells[i]), err)
		}
	}
	nb.NBFormatMinor = max(nb.NBFormatMinor, Minor)
	nb.addIDs()
	return nb, nil
}

// parseJSON decodes data whole, numbers as [json.Number]; its errors say at which line and column.
func parseJSON(data []byte) (any, error) {
	if at := invalidUTF8(data); at >= 0 {
		return nil, fmt.Errorf("not JSON at %s: not UTF-8 text; save the file as UTF-8", position(data, at))
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var root any
	err := dec.Decode(&root)
	if err == nil {
		end := int(dec.InputOffset())
		tail := bytes.TrimLeft(data[end:], " \t\r\n")
		if len(tail) == 0 {
			return root, nil
		}
		return nil, fmt.Errorf("not JSON at %s: more text after the notebook's end; remove it",
			position(data, len(data)-len(tail)))
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return nil, fmt.Errorf("not JSON at %s: %w; restore the file from a checkpoint or from git",
			position(data, int(syntax.Offset)-1), err)
	}
	if errors.Is(err, io.EOF) {
		return nil, errors.New("not JSON: the file is empty")
	}
	return nil, fmt.Errorf("not JSON at %s: the file ends too early (%w); restore it from a checkpoint or from git",
		position(data, len(data)), err)
}

// invalidUTF8 returns the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for at := 0; ; {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
}

// position names the line and column, both from 1, of the byte at offset at.
func position(data []byte, at int) string {
	before := data[:max(0, min(at, len(data)))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Sprintf("line %d, column %d", line, column)
}

// decodeCell makes a cell from its JSON value. With an error it still returns what helps to name the cell.
func decodeCell(v any) (*Cell, error) {
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("it is %s instead of an object", kind(v))
	}
	d := decoder{fields: fields}
	c := &Cell{ID: d.optionalString("id"), Type: CellType(d.string("cell_type")), Metadata: d.object("metadata")}
	var outputs []any
	switch c.Type {
	case Code:
		outputs = d.list("outputs")
		c.ExecutionCount = d.optionalInt("execution_count")
		fallthrough
	case Markdown, Raw:
		c.Source = d.text("source")
		c.Attachments = d.attachments()
	}
	c.Extra = d.rest()
	if d.err != nil {
		return c, d.err
	}
	delete(c.Metadata, transientCell)
	for i, v := range outputs {
		o, err := decodeOutput(v)
		if err != nil {
			return c, fmt.Errorf("output %d: %w", i+1, err)
		}
		c.Outputs = append(c.Outputs, o)
	}
	return c, nil
}

func decodeOutput(v any) (Output, error) {
	fields, ok := v.(map[string]any)
	if !ok {
		return Output{}, fmt.Errorf("it is %s instead of an object", kind(v))
	}
	d := decoder{fields: fields}
	o := Output{Type: OutputType(d.string("output_type"))}
	switch o.Type {
	case Stream:
		o.Name, o.Text = d.string("name"), d.text("text")
	case ExecuteResult:
		o.ExecutionCount = d.optionalInt("execution_count")
		fallthrough
	case DisplayData:
		o.Data, o.Metadata = joinBundle(d.object("data")), d.object("metadata")
	case Error:
		o.EName, o.EValue, o.Traceback = d.string("ename"), d.string("evalue"), d.strings("traceback")
	}
	o.Extra = d.rest()
	return o, d.err
}

// joinBundle turns lists of lines into texts, in place. JSON types are left as they are.
func joinBundle(bundle map[string]any) map[string]any {
	for mime, v := range bundle {
		if isJSON(mime) {
			continue
		}
		if s, ok := joinLines(v); ok {
			bundle[mime] = s
		}
	}
	return bundle
}

// joinLines returns a text that is either a string or a list of strings.
func joinLines(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []any:
		var b strings.Builder
		for _, line := range v {
			s, ok := line.(string)
			if !ok {
				return "", false
			}
			b.WriteString(s)
		}
		return b.String(), true
	}
	return "", false
}

// addIDs gives the cells that have no id one that is made from their contents.
func (nb *Notebook) addIDs() {
	taken := make(map[string]bool, len(nb.Cells))
	for _, c := range nb.Cells {
		taken[c.ID] = true
	}
	for _, c := range nb.Cells {
		if c.ID == "" {
			c.ID = DeriveID(c.Type, c.Source, taken)
		}
	}
}

// A decoder takes the known fields out of a JSON object, one by one, so that the unknown ones remain. It keeps the
// first error; what follows it returns zero values.
type decoder struct {
	fields map[string]any
	err    error
}

func take[T any](d *decoder, key, want string, required bool) (value T) {
	v, ok := d.fields[key]
	delete(d.fields, key)
	if !ok {
		if required {
			d.fail(fmt.Errorf("%q is missing", key))
		}
		return value
	}
	value, ok = v.(T)
	if !ok {
		d.wrongType(key, want, v)
	}
	return value
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *decoder) wrongType(key, want string, have any) {
	d.fail(fmt.Errorf("%q must be %s, but is %s", key, want, kind(have)))
}

func (d *decoder) string(key string) string         { return take[string](d, key, "a string", true) }
func (d *decoder) optionalString(key string) string { return take[string](d, key, "a string", false) }

// object returns an object, empty where the key is missing.
func (d *decoder) object(key string) map[string]any {
	m := take[map[string]any](d, key, "an object", false)
	if m == nil {
		m = map[string]any{}
	}
	return m
}

func (d *decoder) list(key string) []any { return take[[]any](d, key, "a list", key == "cells") }

func (d *decoder) int(key string) int {
	n := take[json.Number](d, key, "a whole number", true)
	if d.err != nil {
		return 0
	}
	return d.whole(key, n)
}

// optionalInt returns nil where the key is missing or null.
func (d *decoder) optionalInt(key string) *int {
	if v, ok := d.fields[key]; !ok || v == nil {
		delete(d.fields, key)
		return nil
	}
	n := d.int(key)
	return &n
}

func (d *decoder) whole(key string, n json.Number) int {
	i, err := n.Int64()
	if err != nil || i != int64(int(i)) {
		d.fail(fmt.Errorf("%q must be a whole number, but is %s", key, n))
	}
	return int(i)
}

// text returns a string that may have been split into lines, empty where the key is missing.
func (d *decoder) text(key string) string {
	v, ok := d.fields[key]
	delete(d.fields, key)
	if !ok {
		return ""
	}
	s, ok := joinLines(v)
	if !ok {
		d.wrongType(key, "a string or a list of strings", v)
	}
	return s
}

func (d *decoder) strings(key string) []string {
	list := d.list(key)
	all := make([]string, len(list))
	for i, v := range list {
		s, ok := v.(string)
		if !ok {
			d.wrongType(key, "a list of strings", v)
		}
		all[i] = s
	}
	return all
}

func (d *decoder) attachments() map[string]map[string]any {
	if _, ok := d.fields["attachments"]; !ok {
		return nil
	}
	all := map[string]map[string]any{}
	for name, v := range d.object("attachments") {
		bundle, ok := v.(map[string]any)
		if !ok {
			d.wrongType("attachments", "an object of objects", v)
			continue
		}
		all[name] = joinBundle(bundle)
	}
	return all
}

// rest returns the fields that nobody took.
func (d *decoder) rest() map[string]any {
	if len(d.fields) == 0 {
		return nil
	}
	return d.fields
}

// kind names the type of a decoded JSON value for a reader.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	default:
		return "a number"
	}
}
