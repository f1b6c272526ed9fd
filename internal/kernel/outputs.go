package kernel

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"manyhands/internal/notebook"
)

const (
	defaultMaxOutput = 1 << 20

	// maxOutputs outputs of full size are what one cell may have in all.
	maxOutputs = 16

	// overhead is what an output counts on top of its bytes, so that a flood of
	// tiny outputs ends too.
	overhead = 256
)

// collector gathers the outputs of one cell in bounded memory.
type collector struct {
	limit   int // bytes that one output may have
	left    int // bytes that the cell may still have
	clean   func(string) string
	outputs []*output
	updates []update
	clear   bool // a clear_output waits for the next output
	dropped int  // bytes of outputs that were left out whole
}

// output is an output in the making.
type output struct {
	notebook.Output
	text    []byte // stream: what was written so far
	cut     int    // stream: bytes that were not kept
	display string // id by which it may be updated
}

// update is new data for an earlier display.
type update struct {
	display  string
	data     map[string]any
	metadata map[string]any
}

func newCollector(limit int, clean func(string) string) *collector {
	if limit == 0 {
		limit = defaultMaxOutput
	}
	return &collector{limit: limit, left: maxOutputs * (limit + overhead), clean: clean}
}

// add takes in the content of one message from iopub.
func (c *collector) add(kind string, content json.RawMessage) error {
	switch kind {
	case "stream":
		return c.stream(content)
	case "display_data", "execute_result":
		return c.show(notebook.OutputType(kind), content)
	case "update_display_data":
		return c.update(content)
	case "error":
		return c.fail(content)
	case "clear_output":
		var clear struct {
			Wait bool `json:"wait"`
		}
		if err := json.Unmarshal(content, &clear); err != nil {
			return err
		}
		c.clear = true
		if !clear.Wait {
			c.settle()
		}
	}
	return nil // messages of other kinds have no place in a notebook
}

// settle carries out a clear_output that waited.
func (c *collector) settle() {
	if c.clear {
		*c = *newCollector(c.limit, c.clean)
	}
}

// push adds an output of size bytes if the cell may have it.
func (c *collector) push(o *output, size int) bool {
	c.settle()
	if size+overhead > c.left {
		c.dropped += size
		return false
	}
	c.left -= size + overhead
	c.outputs = append(c.outputs, o)
	return true
}

func (c *collector) stream(content json.RawMessage) error {
	var s struct{ Name, Text string }
	if err := json.Unmarshal(content, &s); err != nil {
		return err
	}
	c.settle()
	var o *output
	if n := len(c.outputs); n > 0 && c.outputs[n-1].Type == notebook.Stream && c.outputs[n-1].Name == s.Name {
		o = c.outputs[n-1]
	} else {
		o = &output{Output: notebook.Output{Type: notebook.Stream, Name: s.Name}}
		if !c.push(o, 0) {
			c.dropped += len(s.Text)
			return nil
		}
	}
	keep := head(s.Text, min(c.limit-len(o.text), c.left))
	if o.cut > 0 {
		keep = "" // nothing after the first gap
	}
	o.text = append(o.text, keep...)
	o.cut += len(s.Text) - len(keep)
	c.left -= len(keep)
	return nil
}

// bundle is the content of a display.
type bundle struct {
	Data      map[string]json.RawMessage `json:"data"`
	Metadata  map[string]any             `json:"metadata"`
	Count     *int                       `json:"execution_count"`
	Transient struct {
		Display string `json:"display_id"`
	} `json:"transient"`
}

func (c *collector) show(kind notebook.OutputType, content json.RawMessage) error {
	var b bundle
	if err := unmarshal(content, &b); err != nil {
		return err
	}
	data, size, err := c.decode(b.Data)
	if err != nil {
		return err
	}
	o := &output{display: b.Transient.Display}
	o.Output = notebook.Output{Type: kind, Data: data, Metadata: orEmpty(b.Metadata)}
	if kind == notebook.ExecuteResult {
		o.ExecutionCount = b.Count
	}
	c.push(o, size)
	return nil
}

func (c *collector) update(content json.RawMessage) error {
	var b bundle
	if err := unmarshal(content, &b); err != nil {
		return err
	}
	data, size, err := c.decode(b.Data)
	if err != nil {
		return err
	}
	found := false
	for _, o := range c.outputs {
		if o.display != "" && o.display == b.Transient.Display {
			o.Data, o.Metadata, found = data, orEmpty(b.Metadata), true
		}
	}
	if !found && len(c.updates) < maxOutputs && size <= c.limit {
		c.updates = append(c.updates, update{b.Transient.Display, data, orEmpty(b.Metadata)})
	}
	return nil
}

// decode decodes the representations of a display, smallest first, and leaves
// out those that would make it larger than an output may be.
func (c *collector) decode(raw map[string]json.RawMessage) (data map[string]any, size int, err error) {
	data = map[string]any{}
	var left []string
	for _, mime := range slices.SortedFunc(maps.Keys(raw), func(a, b string) int {
		return cmp.Or(len(raw[a])-len(raw[b]), strings.Compare(a, b))
	}) {
		if size+len(raw[mime]) > c.limit {
			left = append(left, fmt.Sprintf("[%s of %s not kept: an output ends at %s]", mime, bytesOf(len(raw[mime])), bytesOf(c.limit)))
			continue
		}
		size += len(raw[mime])
		var v any
		if err := unmarshal(raw[mime], &v); err != nil {
			return nil, 0, err
		}
		if s, ok := v.(string); ok && strings.HasPrefix(mime, "text/") {
			v = c.clean(s)
		}
		data[mime] = v
	}
	if left != nil {
		if plain, ok := data["text/plain"].(string); ok {
			left = append([]string{plain}, left...)
		}
		data["text/plain"] = strings.Join(left, "\n")
	}
	return data, size, nil
}

func (c *collector) fail(content json.RawMessage) error {
	var e reply
	if err := json.Unmarshal(content, &e); err != nil {
		return err
	}
	o := &output{Output: notebook.Output{
		Type: notebook.Error, EName: e.EName, EValue: c.shorten(c.clean(e.EValue)), Traceback: []string{},
	}}
	size, cut := 0, 0
	for _, line := range e.Traceback {
		line = c.clean(line)
		if size += len(line); size > c.limit {
			cut += len(line)
			continue
		}
		o.Traceback = append(o.Traceback, line)
	}
	if cut > 0 {
		o.Traceback = append(o.Traceback, note(cut, c.limit))
	}
	size = min(size, c.limit) + len(o.EValue)
	c.left = max(c.left, size+overhead) // an error is never left out
	c.push(o, size)
	return nil
}

// shorten cuts a text that is larger than an output may be.
func (c *collector) shorten(text string) string {
	kept := head(text, c.limit)
	if len(kept) < len(text) {
		kept += note(len(text)-len(kept), c.limit)
	}
	return kept
}

// result finishes the outputs.
func (c *collector) result(count *int) result {
	r := result{count: count, updates: c.updates, outputs: []notebook.Output{}}
	for _, o := range c.outputs {
		if o.Type == notebook.Stream {
			o.Text = c.clean(string(o.text))
			if o.cut > 0 {
				o.Text += note(o.cut, c.limit)
			}
		}
		r.outputs = append(r.outputs, o.Output)
		r.displays = append(r.displays, o.display)
	}
	if c.dropped > 0 {
		r.outputs = append(r.outputs, notebook.Output{Type: notebook.Stream, Name: "stderr",
			Text: note(c.dropped, maxOutputs*c.limit)})
		r.displays = append(r.displays, "")
	}
	return r
}

// crash matches what Go says first when a program crashes.
var crash = regexp.MustCompile(`^(panic|fatal error): `)

// stderr returns the end of what the cell wrote to stderr, but of a crash the
// beginning, which says why: all goroutines follow.
func (c *collector) stderr() string {
	var all []byte
	for _, o := range c.outputs {
		if o.Type == notebook.Stream && o.Name == "stderr" {
			all = append(all, o.text...)
		}
	}
	lines := bytes.Split(bytes.TrimRight(all, "\n"), []byte("\n"))
	end := len(lines)
	for i := len(lines) - 1; i >= 0; i-- {
		if crash.Match(lines[i]) {
			end = min(end, i+stderrLines)
			break
		}
	}
	lines = lines[max(0, end-stderrLines):end]
	return c.clean(string(bytes.Join(lines, []byte("\n"))))
}

// note says what was not kept.
func note(n, limit int) string {
	return fmt.Sprintf("\n[… %s more, not kept: outputs end at %s]\n", bytesOf(n), bytesOf(limit))
}

// head returns the longest start of text, in whole characters, of at most n
// bytes.
func head(text string, n int) string {
	if len(text) <= n {
		return text
	}
	n = max(n, 0)
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// bytesOf writes a number of bytes for people.
func bytesOf(n int) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	default:
		return fmt.Sprintf("%d bytes", n)
	}
}

// unmarshal decodes JSON with numbers as [json.Number], as notebooks hold them.
func unmarshal(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(v)
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}
