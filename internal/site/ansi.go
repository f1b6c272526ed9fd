package site

import (
	"fmt"
	"html"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// terminal returns text as a terminal would leave it on the screen, as HTML:
// colours and weights become spans, a carriage return goes back over its line
// (progress bars keep their last state), a backspace over its character, and
// every other control sequence is dropped. The sequences are those of
// ECMA-48; its section 8.3.117 defines the colours and weights (SGR).
func terminal(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }) {
		return html.EscapeString(text)
	}
	var out strings.Builder
	var style sgr
	for line := range strings.Lines(strings.ReplaceAll(text, "\r\n", "\n")) {
		var row []glyph
		row, style = terminalLine(line, style)
		writeGlyphs(&out, row)
	}
	return out.String()
}

// glyph is one character of a terminal line and how it is shown.
type glyph struct {
	char  rune
	style sgr
}

// terminalLine plays one line, which starts in the given style, and returns
// what it shows and the style in force at its end.
func terminalLine(line string, style sgr) ([]glyph, sgr) {
	var row []glyph
	column := 0
	for len(line) > 0 {
		if line[0] == '\x1b' {
			length, codes := escapeSequence(line)
			style = style.apply(codes)
			line = line[length:]
			continue
		}
		char, size := utf8.DecodeRuneInString(line)
		line = line[size:]
		switch {
		case char == '\r':
			column = 0
		case char == '\b':
			column = max(0, column-1)
		case char == '\n':
			row = append(row, glyph{char: char})
		case char < ' ' && char != '\t' || char == 0x7f:
		case column < len(row):
			row[column] = glyph{char, style}
			column++
		default:
			row = append(row, glyph{char, style})
			column++
		}
	}
	return row, style
}

func writeGlyphs(out *strings.Builder, row []glyph) {
	var open sgr
	for _, g := range row {
		if g.style != open {
			if open != (sgr{}) {
				out.WriteString("</span>")
			}
			out.WriteString(g.style.tag())
			open = g.style
		}
		out.WriteString(html.EscapeString(string(g.char)))
	}
	if open != (sgr{}) {
		out.WriteString("</span>")
	}
}

// escapeSequence measures the control sequence at the start of s and returns
// the parameters of an SGR sequence, nil for any other.
func escapeSequence(s string) (length int, codes []int) {
	if len(s) < 2 {
		return len(s), nil
	}
	switch s[1] {
	case '[': // CSI: parameters, intermediates, one final byte
		end := strings.IndexFunc(s[2:], func(r rune) bool { return r >= '@' && r <= '~' })
		if end < 0 {
			return len(s), nil
		}
		if s[2+end] == 'm' {
			codes = parameters(s[2 : 2+end])
		}
		return end + 3, codes
	case ']', 'P', 'X', '^', '_': // a string, ended by BEL or ST
		if end := strings.IndexByte(s, '\a'); end >= 0 {
			return end + 1, nil
		}
		if end := strings.Index(s[1:], "\x1b\\"); end >= 0 {
			return end + 3, nil
		}
		return len(s), nil
	case '(', ')', '#', '%', ' ': // one byte follows
		return min(3, len(s)), nil
	}
	_, size := utf8.DecodeRuneInString(s[1:])
	return 1 + size, nil
}

func parameters(list string) []int {
	codes := []int{}
	for field := range strings.FieldsFuncSeq(list+" ", func(r rune) bool { return r == ';' || r == ':' }) {
		code, _ := strconv.Atoi(strings.TrimSpace(field)) // absent means 0
		codes = append(codes, code)
	}
	return codes
}

// sgr is a "select graphic rendition" state. A colour is one of the sixteen
// names below, which the style sheet sets for each theme, or "#rrggbb".
type sgr struct {
	fg, bg                                string
	bold, dim, italic, underline, inverse bool
}

var ansiNames = []string{"black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"}

func (s sgr) apply(codes []int) sgr {
	for len(codes) > 0 {
		code := codes[0]
		codes = codes[1:]
		switch {
		case code == 0:
			s = sgr{}
		case code == 1:
			s.bold = true
		case code == 2:
			s.dim = true
		case code == 3:
			s.italic = true
		case code == 4:
			s.underline = true
		case code == 7:
			s.inverse = true
		case code == 22:
			s.bold, s.dim = false, false
		case code == 23:
			s.italic = false
		case code == 24:
			s.underline = false
		case code == 27:
			s.inverse = false
		case code >= 30 && code <= 37:
			s.fg = ansiNames[code-30]
		case code >= 90 && code <= 97:
			s.fg = "bright-" + ansiNames[code-90]
		case code >= 40 && code <= 47:
			s.bg = ansiNames[code-40]
		case code >= 100 && code <= 107:
			s.bg = "bright-" + ansiNames[code-100]
		case code == 38:
			s.fg, codes = extendedColour(codes)
		case code == 48:
			s.bg, codes = extendedColour(codes)
		case code == 39:
			s.fg = ""
		case code == 49:
			s.bg = ""
		}
	}
	return s
}

// extendedColour reads what follows 38 or 48: "5;n" from the table of 256, or
// "2;r;g;b".
func extendedColour(codes []int) (colour string, rest []int) {
	switch {
	case len(codes) >= 2 && codes[0] == 5:
		return colour256(codes[1]), codes[2:]
	case len(codes) >= 4 && codes[0] == 2:
		return fmt.Sprintf("#%02x%02x%02x", codes[1]&0xff, codes[2]&0xff, codes[3]&0xff), codes[4:]
	}
	return "", nil
}

// colour256 is xterm's table: sixteen names, a cube of 6×6×6, 24 greys.
func colour256(n int) string {
	level := func(n int) int {
		if n == 0 {
			return 0
		}
		return 55 + 40*n
	}
	switch {
	case n < 0 || n > 255:
		return ""
	case n < 8:
		return ansiNames[n]
	case n < 16:
		return "bright-" + ansiNames[n-8]
	case n < 232:
		n -= 16
		return fmt.Sprintf("#%02x%02x%02x", level(n/36), level(n/6%6), level(n%6))
	}
	grey := 8 + 10*(n-232)
	return fmt.Sprintf("#%02x%02x%02x", grey, grey, grey)
}

// tag opens the span that shows s; the plain state needs none.
func (s sgr) tag() string {
	if s == (sgr{}) {
		return ""
	}
	var classes, styles []string
	colour := func(property, value string) {
		switch {
		case strings.HasPrefix(value, "#"):
			classes = append(classes, "ansi-"+property)
			styles = append(styles, "--"+property+":"+value)
		case value != "":
			classes = append(classes, "ansi-"+property+"-"+value)
		}
	}
	colour("fg", s.fg)
	colour("bg", s.bg)
	for class, on := range map[string]bool{"ansi-bold": s.bold, "ansi-dim": s.dim, "ansi-italic": s.italic,
		"ansi-underline": s.underline, "ansi-inverse": s.inverse} {
		if on {
			classes = append(classes, class)
		}
	}
	slices.Sort(classes)
	tag := `<span class="` + strings.Join(classes, " ") + `"`
	if styles != nil {
		tag += ` style="` + strings.Join(styles, ";") + `"`
	}
	return tag + ">"
}
