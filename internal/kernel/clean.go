package kernel

import (
	"path/filepath"
	"regexp"
	"strings"
)

// cleaner returns the function that takes out of a text what differs from run
// to run and from machine to machine: GoNB's work folder, so that the cell's
// own files keep just their names, the kernel's temporary folder, and hidden
// folders.
func cleaner(home string, hidden []string) func(string) string {
	work := regexp.MustCompile(`(?:(?:/private)?(?:` + regexp.QuoteMeta(home) + `|/tmp)/)?gonb_[0-9a-f]{8}\b(/?)`)
	return func(text string) string {
		text = work.ReplaceAllStringFunc(text, func(path string) string {
			if strings.HasSuffix(path, "/") {
				return ""
			}
			return "gonb"
		})
		text = replacePath(text, home, "/tmp/", "/tmp")
		for _, dir := range hidden {
			if dir = filepath.Clean(dir); dir != "/" && dir != "." {
				text = replacePath(text, dir, "", ".")
			}
		}
		return text
	}
}

// replacePath replaces dir where it stands as a whole path (by alone) and
// where a path starts with it (dir and its slash by below).
func replacePath(text, dir, below, alone string) string {
	var b strings.Builder
	for {
		i := strings.Index(text, dir)
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		end := i + len(dir)
		instead := dir
		switch {
		case i > 0 && inPath(text[i-1]):
		case end < len(text) && text[end] == '/':
			instead, end = below, end+1
		case end == len(text) || !inPath(text[end]):
			instead = alone
		}
		b.WriteString(text[:i])
		b.WriteString(instead)
		text = text[end:]
	}
}

// inPath tells whether a path may go on with the byte.
func inPath(c byte) bool {
	return c == '/' || c == '.' || c == '-' || c == '_' || c >= 0x80 ||
		'0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
