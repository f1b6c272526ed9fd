package lesson

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"manyhands/internal/notebook"
)

// languages are those whose fences Jupytext 1.19.6 takes for code cells, in small or in capital letters:
// jupytext/languages.py, _JUPYTER_LANGUAGES.
var languages = strings.Split("R,bash,sh,python,python2,python3,coconut,javascript,js,perl,html,latex,markdown,pypy,"+
	"ruby,script,svg,matlab,octave,idl,robotframework,sas,spark,sql,cython,haskell,tcl,gnuplot,wolfram language,julia,"+
	"c++,scheme,clojure,powershell,q,typescript,scala,rust,csharp,fsharp,sos,java,groovy,sage,ocaml,maxima,stata,"+
	"jenner,xonsh,logtalk,lua,go,c#,f#,cs,fs", ",")

var fenceStart = func() *regexp.Regexp {
	var names []string
	for _, name := range languages {
		names = append(names, regexp.QuoteMeta(name), regexp.QuoteMeta(strings.ToUpper(name)))
	}
	return regexp.MustCompile("^(```+)\\s*(" + strings.Join(names, "|") + `)($|\s.*$)`)
}()

// fence is the first line of a fenced code cell.
type fence struct {
	ticks    string // the backticks
	language string
	rest     string // the attributes
	noeval   bool   // the code is to be shown, not run
}

// parseFence reads a line that starts a fenced block in one of the languages.
func parseFence(line string) (fence, bool) {
	if !strings.HasPrefix(line, "```") {
		return fence{}, false
	}
	m := fenceStart.FindStringSubmatch(line)
	if m == nil {
		return fence{}, false
	}
	noeval := slices.Contains(strings.Fields(m[3]), ".noeval")
	return fence{ticks: m[1], language: m[2], rest: m[3], noeval: noeval}, true
}

// cutTitle splits what stands behind #region into the title and the attributes.
func cutTitle(rest string) (title, attributes string) {
	at := strings.IndexAny(rest, "{=")
	if at < 0 {
		return strings.TrimSpace(rest), ""
	}
	if rest[at] == '=' { // the title ends before the first attribute's name
		at = strings.LastIndex(strings.TrimRight(rest[:at], " "), " ") + 1
	}
	return strings.TrimSpace(rest[:at]), rest[at:]
}

var attributeName = regexp.MustCompile(`^[a-zA-Z0-9_.@/-]+`)

// attributes reads name=JSON pairs, or one JSON object, into the cell whose mark stands at index line.
func (p *parser) attributes(c *Cell, line int, rest string) {
	if strings.Contains(rest, "\t") {
		p.fail(line, "a tab between the attributes, which Jupytext does not understand; use a space")
		return
	}
	rest = strings.TrimSpace(rest)
	if strings.HasPrefix(rest, "{") {
		all, tail, err := cutJSON[map[string]any](rest)
		if err != nil || tail != "" {
			p.fail(line, "the attributes are not one JSON object: %s", rest)
			return
		}
		for name, value := range all {
			p.attribute(c, line, name, value)
		}
		return
	}
	seen := map[string]bool{}
	for rest != "" {
		name := attributeName.FindString(rest)
		value, ok := strings.CutPrefix(strings.TrimLeft(rest[len(name):], " "), "=")
		if name == "" || !ok {
			p.fail(line, "attributes have the form name=value, as in id=\"sum\"; have %s", rest)
			return
		}
		v, tail, err := cutJSON[any](value)
		if err != nil || tail != "" && tail[0] != ' ' {
			p.fail(line, "the value of the attribute %s is not JSON, such as \"a text\", 3 or [\"python\"]; have %s", name, value)
			return
		}
		if seen[name] {
			p.fail(line, "the attribute %s is given twice; keep one", name)
		}
		seen[name] = true
		p.attribute(c, line, name, v)
		rest = strings.TrimLeft(tail, " ")
	}
}

// cutJSON decodes the JSON value that s starts with and returns what follows it.
func cutJSON[T any](s string) (value T, rest string, err error) {
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	err = dec.Decode(&value)
	return value, s[dec.InputOffset():], err
}

// attribute sets what one attribute says.
func (p *parser) attribute(c *Cell, line int, name string, value any) {
	switch name {
	case "id":
		id, _ := value.(string)
		if !notebook.ValidID(id) {
			p.fail(line, "the id must be a text of 1 to 64 letters, digits, - and _; have %v", value)
		}
		c.ID = id
	case "tags":
		p.tags(c, line, value)
	case "active", "language": // to Jupytext these change the cell's type
		p.fail(line, "the attribute %s is not for lessons; remove it", name)
	default:
		c.setMetadata(name, value)
	}
}

func (p *parser) tags(c *Cell, line int, value any) {
	list, ok := value.([]any)
	if !ok {
		p.fail(line, "tags must be a list such as [\"python\"]; have %v", value)
	}
	for _, v := range list {
		tag, _ := v.(string)
		switch {
		case Tags[tag] == "":
			p.fail(line, "unknown tag %q; known are %s", v, knownTags())
		case slices.Contains(c.Tags, tag):
			p.fail(line, "the tag %q is given twice; keep one", tag)
		default:
			c.Tags = append(c.Tags, tag)
		}
	}
}

func (c *Cell) setMetadata(name string, value any) {
	if c.Metadata == nil {
		c.Metadata = map[string]any{}
	}
	c.Metadata[name] = value
}
