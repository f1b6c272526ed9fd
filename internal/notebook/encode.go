package notebook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What nbformat never stores: nbformat/v4/rwbase.py, strip_transient.
var transientNotebook = []string{"orig_nbformat", "orig_nbformat_minor", "signature"}

const transientCell = "trusted"

// encode returns the notebook as it is stored.
func encode(nb *Notebook) ([]byte, error) {
	cells := make([]any, len(nb.Cells))
	for i, c := range nb.Cells {
		cells[i] = c
	}
	e := encoder{}
	err := e.value(with(nb.Extra, map[string]any{
		"metadata":       without(nb.Metadata, transientNotebook...),
		"nbformat":       nb.NBFormat,
		"nbformat_minor": nb.NBFormatMinor,
		"cells":          cells,
	}))
	return append(e.out, '\n'), err
}

// with returns the known fields and the extra ones; where both name one, the known field counts.
func with(extra, known map[string]any) map[string]any {
	for key, v := range extra {
		if _, ok := known[key]; !ok {
			known[key] = v
		}
	}
	return known
}

func without(m map[string]any, keys ...string) map[string]any {
	m = maps.Clone(m)
	for _, key := range keys {
		delete(m, key)
	}
	return m
}

func (c *Cell) fields() map[string]any {
	known := map[string]any{"id": c.ID, "cell_type": string(c.Type), "metadata": without(c.Metadata, transientCell)}
	switch c.Type {
	case Code:
		outputs := make([]any, len(c.Outputs))
		for i := range c.Outputs {
			outputs[i] = c.Outputs[i].fields()
		}
		known["outputs"], known["execution_count"] = outputs, c.ExecutionCount
		fallthrough
	case Markdown, Raw:
		known["source"] = splitLines(c.Source)
		if c.Attachments != nil {
			attachments := make(map[string]any, len(c.Attachments))
			for name, bundle := range c.Attachments {
				attachments[name] = splitBundle(bundle)
			}
			known["attachments"] = attachments
		}
	}
	return with(c.Extra, known)
}

func (o *Output) fields() map[string]any {
	known := map[string]any{"output_type": string(o.Type)}
	switch o.Type {
	case Stream:
		known["name"], known["text"] = o.Name, splitLines(o.Text)
	case ExecuteResult:
		known["execution_count"] = o.ExecutionCount
		fallthrough
	case DisplayData:
		known["data"], known["metadata"] = splitBundle(o.Data), o.Metadata
	case Error:
		known["ename"], known["evalue"], known["traceback"] = o.EName, o.EValue, o.Traceback
	}
	return with(o.Extra, known)
}

// isJSON tells whether contents of the MIME type are stored as JSON rather than as text.
func isJSON(mime string) bool {
	return mime == "application/json" || strings.HasPrefix(mime, "application/") && strings.HasSuffix(mime, "+json")
}

// splitBundle returns the bundle with its texts as lists of lines; binary contents stay strings.
func splitBundle(bundle map[string]any) map[string]any {
	split := make(map[string]any, len(bundle))
	for mime, v := range bundle {
		s, ok := v.(string)
		if ok && (strings.HasPrefix(mime, "text/") || mime == "application/javascript" || mime == "image/svg+xml") {
			v = splitLines(s)
		}
		split[mime] = v
	}
	return split
}

// splitLines cuts a text after each line end, as Python's str.splitlines(True) does:
// https://docs.python.org/3/library/stdtypes.html#str.splitlines
func splitLines(s string) []string {
	lines := []string{}
	start := 0
	for i, r := range s {
		end := i + utf8.RuneLen(r)
		switch r {
		case '\r':
			if strings.HasPrefix(s[end:], "\n") {
				continue // the line ends with the \n
			}
		case '\n', '\v', '\f', '\x1c', '\x1d', '\x1e', '\u0085', '\u2028', '\u2029':
		default:
			continue
		}
		lines = append(lines, s[start:end])
		start = end
	}
	if start < len(s) {
		lines = append(lines, s[start:])
	}
	return lines
}

// An encoder writes values as Python's json.dumps(indent=1, sort_keys=True, ensure_ascii=False) does.
type encoder struct {
	out   []byte
	depth int
}

func (e *encoder) value(v any) error {
	switch v := v.(type) {
	case *Cell:
		return e.object(v.fields())
	case map[string]any:
		return e.object(v)
	case []any:
		return list(e, v)
	case []string:
		return list(e, v)
	case string:
		e.string(v)
	case json.Number:
		return e.number(v)
	case float64:
		return e.float(v)
	case int:
		e.out = strconv.AppendInt(e.out, int64(v), 10)
	case *int:
		if v == nil {
			e.out = append(e.out, "null"...)
		} else {
			e.out = strconv.AppendInt(e.out, int64(*v), 10)
		}
	case bool:
		e.out = strconv.AppendBool(e.out, v)
	case nil:
		e.out = append(e.out, "null"...)
	default:
		return e.foreign(v)
	}
	return nil
}

// foreign writes a value of a Go type that has no own case: through encoding/json.
func (e *encoder) foreign(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var plain any
	if err := dec.Decode(&plain); err != nil {
		return err
	}
	return e.value(plain)
}

func (e *encoder) newline() {
	e.out = append(e.out, '\n')
	for range e.depth {
		e.out = append(e.out, ' ')
	}
}

func (e *encoder) object(m map[string]any) error {
	if len(m) == 0 {
		e.out = append(e.out, "{}"...)
		return nil
	}
	e.out = append(e.out, '{')
	e.depth++
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			e.out = append(e.out, ',')
		}
		e.newline()
		e.string(key)
		e.out = append(e.out, ": "...)
		if err := e.value(m[key]); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	e.depth--
	e.newline()
	e.out = append(e.out, '}')
	return nil
}

func list[T any](e *encoder, all []T) error {
	if len(all) == 0 {
		e.out = append(e.out, "[]"...)
		return nil
	}
	e.out = append(e.out, '[')
	e.depth++
	for i, v := range all {
		if i > 0 {
			e.out = append(e.out, ',')
		}
		e.newline()
		if err := e.value(v); err != nil {
			return fmt.Errorf("%d: %w", i+1, err)
		}
	}
	e.depth--
	e.newline()
	e.out = append(e.out, ']')
	return nil
}

// string escapes what JSON demands and nothing else: not <, not U+2028.
func (e *encoder) string(s string) {
	const hex = "0123456789abcdef"
	s = strings.ToValidUTF8(s, "\ufffd")
	e.out = append(e.out, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		e.out = append(e.out, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			e.out = append(e.out, '\\', c)
		case '\n':
			e.out = append(e.out, `\n`...)
		case '\r':
			e.out = append(e.out, `\r`...)
		case '\t':
			e.out = append(e.out, `\t`...)
		case '\f':
			e.out = append(e.out, `\f`...)
		case '\b':
			e.out = append(e.out, `\b`...)
		default:
			e.out = append(e.out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	e.out = append(append(e.out, s[start:]...), '"')
}

// number writes a number from a file as Python would write it again: whole numbers digit by digit, however long; all
// others as their nearest float64. What float64 cannot hold stays as it was.
func (e *encoder) number(n json.Number) error {
	if !json.Valid([]byte(n)) {
		return fmt.Errorf("%q is not a number", n)
	}
	f, err := n.Float64()
	if err != nil || !strings.ContainsAny(string(n), ".eE") {
		e.out = append(e.out, n...)
		return nil
	}
	e.out = appendRepr(e.out, f)
	return nil
}

// float writes a number that this program made. A whole one has no ".0": JupyterLab, being JavaScript, would remove
// it when it saves.
func (e *encoder) float(f float64) error {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return fmt.Errorf("JSON has no number for %v", f)
	case f == 0:
		e.out = append(e.out, '0')
	case f == math.Trunc(f) && math.Abs(f) < 1e21:
		e.out = strconv.AppendFloat(e.out, f, 'f', -1, 64)
	default:
		e.out = appendRepr(e.out, f)
	}
	return nil
}

// appendRepr writes a float as Python's repr does: the shortest digits that read back the same, with an exponent
// below 1e-4 and from 1e16 on.
func appendRepr(out []byte, f float64) []byte {
	if abs := math.Abs(f); abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.AppendFloat(out, f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return append(out, s...)
}
