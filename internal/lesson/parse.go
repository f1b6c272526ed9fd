package lesson

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"manyhands/internal/notebook"
)

// A parser turns the lines of a file into a lesson. Lines are counted by index, from 0.
type parser struct {
	lesson *Lesson
	lines  []string
	errs   []*Error
}

func (p *parser) fail(line int, format string, args ...any) {
	p.errs = append(p.errs, &Error{Path: p.lesson.Path, Line: line + 1, Text: fmt.Sprintf(format, args...)})
}

// joined returns all errors in the order of their lines.
func (p *parser) joined() error {
	slices.SortStableFunc(p.errs, func(a, b *Error) int { return a.Line - b.Line })
	all := make([]error, len(p.errs))
	for i, err := range p.errs {
		all[i] = err
	}
	return errors.Join(all...)
}

func (p *parser) has(line int) bool { return line < len(p.lines) }

func blank(line string) bool { return strings.TrimSpace(line) == "" }

func (p *parser) parse(source []byte) {
	source = bytes.TrimPrefix(source, []byte("\ufeff"))
	source = bytes.ReplaceAll(source, []byte("\r\n"), []byte("\n"))
	p.lines = strings.Split(strings.TrimRight(string(source), " \t\n"), "\n")
	for i, line := range p.lines {
		if !utf8.ValidString(line) {
			p.fail(i, "not UTF-8 text; save the file as UTF-8")
			return
		}
	}
	for line := p.frontMatter(); p.has(line); {
		line = p.cell(line)
	}
	if len(p.lesson.Cells) == 0 && len(p.errs) == 0 {
		p.fail(len(p.lines)-1, "the lesson has no cells; write text or a ```go fence below the front matter")
	}
	p.identify()
}

// The rest follows Jupytext's MarkdownCellReader (jupytext/cell_reader.py, version 1.19.6) decision by decision,
// so that JupyterLab shows the cells that the course builds.

var (
	regionStart = regexp.MustCompile(`^<!--\s*#(region|markdown|md|raw)(.*)-->\s*$`)
	// Jupytext's end_code_re, and what it becomes behind the first ```go .noeval in a cell.
	proseEnd  = regexp.MustCompile("^```\\s*$")
	noevalEnd = regexp.MustCompile("^```")
)

// cell reads the cell that starts at index start and returns the index of the next one's first line.
func (p *parser) cell(start int) int {
	var next int
	closed := true // by a line of its own, behind which Jupytext takes two blank lines for one
	if m := regionStart.FindStringSubmatch(p.lines[start]); m != nil {
		next = p.region(start, m[1], m[2])
	} else if f, ok := parseFence(p.lines[start]); !ok {
		next, closed = p.prose(start)
	} else if f.noeval {
		end := p.fenceEnd(start, f)
		p.add(Cell{Type: notebook.Markdown}, start, min(end+1, len(p.lines)))
		next, closed = end+1, false
	} else {
		next = p.code(start, f)
	}
	switch {
	case p.has(next+1) && blank(p.lines[next]) && !blank(p.lines[next+1]):
		return next + 1
	case closed && p.has(next+2) && blank(p.lines[next]) && blank(p.lines[next+1]) && !blank(p.lines[next+2]):
		return next + 2
	}
	return next
}

// add appends the cell whose source is the lines from index start up to end.
func (p *parser) add(c Cell, start, end int) {
	c.Source, c.Line = strings.Join(p.lines[start:end], "\n"), start+1
	if c.Type == notebook.Markdown && blank(c.Source) {
		p.fail(start, "an empty Markdown cell; leave one blank line between cells, or two between two Markdown cells")
	}
	p.lesson.Cells = append(p.lesson.Cells, c)
}

// region reads a cell between region marks and returns the index of the line behind it.
func (p *parser) region(start int, name, rest string) int {
	endMark := regexp.MustCompile(`^<!--\s*#end` + name + `\s*-->\s*$`)
	end := start + 1
	for p.has(end) && !endMark.MatchString(p.lines[end]) {
		end++
	}
	if !p.has(end) {
		p.fail(start, "the region has no end; close it with <!-- #end%s -->", name)
	}
	c := Cell{Type: notebook.Markdown}
	if name == "raw" {
		c.Type = notebook.Raw
	}
	title, rest := cutTitle(rest)
	p.attributes(&c, start, rest)
	if title != "" {
		c.setMetadata("title", title)
	}
	if name == "markdown" || name == "md" {
		c.setMetadata("region_name", name)
	}
	p.add(c, start+1, end)
	return end + 1
}

// code reads a fenced code cell and returns the index of the line behind it.
func (p *parser) code(start int, f fence) int {
	c := Cell{Type: notebook.Code}
	p.attributes(&c, start, f.rest)
	magic := p.magic(&c, start, f)
	end := p.fenceEnd(start, f)
	p.add(c, start+1, end)
	if magic != "" {
		last := &p.lesson.Cells[len(p.lesson.Cells)-1]
		last.Source = magic + "\n" + last.Source
		last.Line-- // the fence stands for the magic
	}
	return end + 1
}

// magic returns the line that Jupytext puts before the source of a fence in a language other than Go.
func (p *parser) magic(c *Cell, start int, f fence) string {
	switch f.language {
	case "go":
		return ""
	case "bash", "sh", "script":
	default:
		p.fail(start, "GoNB cannot run ```%s cells; use ```go with %%%%script and a program in its first line, "+
			"or ```%[1]s .noeval to show the code only", f.language)
		return ""
	}
	magic := "%%" + f.language
	if args, ok := c.Metadata["magic_args"].(string); ok {
		magic += " " + args
		delete(c.Metadata, "magic_args")
	} else if f.language == "script" {
		p.fail(start, "a ```script cell must name its program; write magic_args=\"python3\" behind it")
	}
	return magic
}

// fenceEnd returns the index of the line that closes the fence at index start.
func (p *parser) fenceEnd(start int, f fence) int {
	for end := start + 1; p.has(end); end++ {
		if line := p.lines[end]; strings.HasPrefix(line, f.ticks) {
			if strings.TrimSpace(line) != f.ticks { // Jupytext would silently end the cell here
				p.failInside(end, start, f.ticks)
			}
			return end
		}
	}
	p.fail(start, "the fence has no end; close it with a line %s", f.ticks)
	return len(p.lines)
}

// failInside notes a line that opens a fence at index line while the one at index open is not closed.
func (p *parser) failInside(line, open int, ticks string) {
	p.fail(line, "the fence of line %d is still open here; close it with a line %s before", open+1, ticks)
}

// prose reads a Markdown cell that no marks surround: up to a code cell, a region, or two blank lines. It returns the
// index of the line behind it and whether two blank lines closed it.
func (p *parser) prose(start int) (next int, closed bool) {
	fenceEnd := proseEnd
	blanks := 0                       // blank lines just before
	indented, fenced := false, -1     // in an indented code block; index of the open fence
	end := func(line, back int) int { // ends the cell back lines before line
		p.add(Cell{Type: notebook.Markdown}, start, line-back)
		return line
	}
	for i := start; p.has(i); i++ {
		line := p.lines[i]
		if fenced >= 0 && fenceEnd.MatchString(line) {
			fenced = -1
			continue
		}
		if blanks > 0 && strings.HasPrefix(line, "    ") && !blank(line) {
			indented, blanks = true, 0
			continue
		}
		if indented && !blank(line) && !strings.HasPrefix(line, "    ") {
			indented = false
		}
		if fenced >= 0 && strings.HasPrefix(line, "```") {
			p.failInside(i, fenced, "```")
		}
		if indented || fenced >= 0 {
			continue
		}
		f, isCode := parseFence(line)
		switch {
		case regionStart.MatchString(line), isCode && !f.noeval:
			if i > start+1 && blanks > 0 {
				return end(i, 1), false
			}
			return end(i, 0), false
		case strings.HasPrefix(line, "```"):
			if !isCode && !strings.HasPrefix(line, "```{") && blanks >= 2 {
				return end(i, 2), true
			}
			if strings.HasPrefix(line, "````") {
				p.fail(i, "Jupytext finds no end of a fence of four backticks around text; use three")
			}
			if isCode {
				fenceEnd = noevalEnd
			}
			fenced, blanks = i, 0
		case blank(line):
			blanks++
		case blanks >= 2:
			return end(i, 2), true
		default:
			blanks = 0
		}
	}
	if fenced >= 0 {
		p.fail(fenced, "the fence has no end; close it with a line ```")
	}
	return end(len(p.lines), 0), false
}

// identify gives an id to every cell that has none and finds the ids that are given twice.
func (p *parser) identify() {
	lines := map[string]int{} // id -> line of the cell that has it
	taken := map[string]bool{}
	for _, c := range p.lesson.Cells {
		if c.ID == "" {
			continue
		}
		if first, ok := lines[c.ID]; ok {
			p.fail(c.Line-1, "the cell id %q is already that of the cell at line %d; choose another", c.ID, first)
		}
		lines[c.ID], taken[c.ID] = c.Line, true
	}
	for i := range p.lesson.Cells {
		if c := &p.lesson.Cells[i]; c.ID == "" {
			c.ID = notebook.DeriveID(c.Type, c.Source, taken)
		}
	}
}
