package site

import (
	"html"
	"path"
	"strings"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
)

// language names a cell's or a fence's language: the word readers see and
// the chroma lexer that colours it, nil for plain text.
type language struct {
	label string
	lexer chroma.Lexer
}

func languageOf(name string) language {
	lexer := lexers.Get(name)
	if name == "" || lexer == nil {
		return language{label: name}
	}
	if label, ok := map[string]string{"Bash": "Shell", "IPython": "Python", "plaintext": "Text"}[lexer.Config().Name]; ok {
		return language{label, lexer}
	}
	return language{lexer.Config().Name, lexer}
}

// cellLanguage says what a code cell is written in: the kernel's language,
// unless its first line is a cell magic such as "%%script python3" that hands
// the rest to another interpreter.
func cellLanguage(source string, kernel language) language {
	for line := range strings.Lines(source) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		magic, ok := strings.CutPrefix(line, "%%")
		if !ok {
			return kernel
		}
		fields := strings.Fields(magic)
		if len(fields) == 0 {
			return kernel
		}
		name := fields[0]
		if len(fields) > 1 {
			switch name {
			case "script":
				name = path.Base(fields[1])
			case "writefile", "file":
				return fileLanguage(fields[len(fields)-1], kernel)
			}
		}
		if found := languageOf(strings.TrimRight(name, ".0123456789")); found.lexer != nil {
			return found
		}
		return kernel
	}
	return kernel
}

func fileLanguage(name string, otherwise language) language {
	lexer := lexers.Match(name)
	if lexer == nil {
		return otherwise
	}
	return languageOf(lexer.Config().Name)
}

// highlightCell colours a code cell. Lines that the kernel reads itself
// (%magics and !commands) are set apart and never reach the language's lexer,
// which would take them for syntax errors.
func highlightCell(source string, lang language) string {
	var out, run strings.Builder
	flush := func() {
		out.WriteString(highlight(run.String(), lang))
		run.Reset()
	}
	foreign := false
	for line := range strings.Lines(source) {
		magic := strings.HasPrefix(line, "%") || strings.HasPrefix(line, "!")
		if !magic || foreign {
			run.WriteString(line)
			continue
		}
		flush()
		text := strings.TrimRight(line, "\n")
		out.WriteString(`<span class="magic">` + html.EscapeString(text) + "</span>" + line[len(text):])
		// After a cell magic everything belongs to the other interpreter,
		// where % and ! at the start of a line mean what they mean there.
		foreign = strings.HasPrefix(line, "%%") && len(strings.Fields(line)) > 0 && strings.TrimSpace(line) != "%%"
	}
	flush()
	return out.String()
}

// highlight returns source as HTML, its tokens in spans with Pygments' short
// class names. It writes the spans itself: chroma's HTML formatter also wraps
// every line, which doubles a page's weight for line numbers we do not show.
func highlight(source string, lang language) string {
	if source == "" || lang.lexer == nil {
		return html.EscapeString(source)
	}
	tokens, err := chroma.Coalesce(lang.lexer).Tokenise(&chroma.TokeniseOptions{State: "root", EnsureLF: false}, source)
	if err != nil {
		return html.EscapeString(source)
	}
	var out strings.Builder
	for token := range tokens.Stdlib() {
		class := tokenClass(token.Type)
		if class == "" {
			out.WriteString(html.EscapeString(token.Value))
			continue
		}
		out.WriteString(`<span class="` + class + `">` + html.EscapeString(token.Value) + "</span>")
	}
	return out.String()
}

// tokenClass maps chroma's many token types to the few colours of the style
// sheet; names, punctuation and operators keep the colour of the text.
func tokenClass(t chroma.TokenType) string {
	switch {
	case t == chroma.KeywordType, t == chroma.NameBuiltinPseudo, t == chroma.NameBuiltin:
		return "kt"
	case t.InCategory(chroma.Keyword):
		return "k"
	case t.InCategory(chroma.Comment):
		return "c"
	case t.InSubCategory(chroma.LiteralString):
		return "s"
	case t.InSubCategory(chroma.LiteralNumber):
		return "m"
	case t == chroma.NameFunction, t == chroma.NameFunctionMagic, t == chroma.NameClass, t == chroma.NameDecorator:
		return "nf"
	case t == chroma.GenericDeleted:
		return "gd"
	case t == chroma.GenericInserted:
		return "gi"
	}
	return ""
}
