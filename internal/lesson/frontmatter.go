package lesson

import (
	"errors"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	yamlparser "github.com/goccy/go-yaml/parser"
)

// kernelName is the kernel that every lesson runs on.
const kernelName = "gonb"

// frontMatter reads the lines between the two --- and returns the index of the first line of the cells.
func (p *parser) frontMatter() int {
	if strings.TrimRight(p.lines[0], " \t") != "---" {
		p.fail(0, "no front matter; start the lesson with a line ---, then title: and minutes:, then a line ---")
		return 0
	}
	end := 1
	for end < len(p.lines) && strings.TrimRight(p.lines[end], " \t") != "---" {
		end++
	}
	if end == len(p.lines) {
		p.fail(0, "the front matter has no end; close it with a line ---")
		return end
	}
	p.readFields(strings.Join(p.lines[1:end], "\n"))
	if p.has(end+1) && blank(p.lines[end+1]) {
		return end + 2
	}
	return end + 1
}

// readFields reads the front matter's YAML.
func (p *parser) readFields(source string) {
	file, err := yamlparser.ParseBytes([]byte(source), 0)
	if err != nil {
		p.failYAML(err)
		return
	}
	seen := map[string]bool{}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		fields, ok := doc.Body.(ast.MapNode)
		if !ok {
			p.fail(1, "the front matter must be lines of the form key: value")
			return
		}
		for iter := fields.MapRange(); iter.Next(); {
			key := iter.Key().String()
			seen[key] = true
			p.readField(key, iter.KeyValue().GetToken().Position.Line, iter.Value())
		}
	}
	for _, want := range []struct{ key, example string }{{"title", "title: Threads"}, {"minutes", "minutes: 45"}} {
		if !seen[want.key] {
			p.fail(0, "the front matter has no %s; add a line such as %s", want.key, want.example)
		}
	}
}

// readField reads one field of the front matter, whose key stands at index line of the file.
func (p *parser) readField(key string, line int, value ast.Node) {
	l, ok := p.lesson, true
	want := ""
	switch key {
	case "title":
		want = "a text; put it in quotes"
		l.Title, ok = text(value)
		ok = ok && strings.TrimSpace(l.Title) != ""
	case "minutes":
		want = "a whole number from 1 on"
		l.Minutes, ok = whole(value)
		ok = ok && l.Minutes > 0
	case "needs":
		want = "a list of texts such as [01-why, 02-threads]"
		l.Needs, ok = texts(value)
		l.needsLine = line + 1
	case "exclusive":
		want = "true or false"
		var b *ast.BoolNode
		if b, ok = value.(*ast.BoolNode); ok {
			l.Exclusive = b.Value
		}
	case "jupyter":
		if name, ok := text(child(child(value, "kernelspec"), "name")); ok && name != kernelName {
			p.fail(line, "the kernel is %q; lessons run on %q", name, kernelName)
		}
	default:
		p.fail(line, "unknown key %q; the front matter knows title, minutes, needs, exclusive and jupyter", key)
	}
	if !ok {
		p.fail(line, "%s must be %s", key, want)
	}
}

// The values are read from the syntax tree: the YAML package's own decoder rounds 1.5 to an int and panics at a tag
// such as !00.

func text(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode: // behind | or >
		return n.Value.Value, true
	}
	return "", false
}

func whole(n ast.Node) (int, bool) {
	if _, ok := n.(*ast.IntegerNode); !ok {
		return 0, false
	}
	i, err := strconv.Atoi(n.String())
	return i, err == nil
}

func texts(n ast.Node) ([]string, bool) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		return nil, false
	}
	var all []string
	for _, v := range list.Values {
		s, ok := text(v)
		if !ok {
			return nil, false
		}
		all = append(all, s)
	}
	return all, true
}

// child returns the value of a key, nil where n is no mapping or has no such key.
func child(n ast.Node, key string) ast.Node {
	if fields, ok := n.(ast.MapNode); ok {
		for iter := fields.MapRange(); iter.Next(); {
			if iter.Key().String() == key {
				return iter.Value()
			}
		}
	}
	return nil
}

// failYAML notes that the front matter is not YAML, at the line that the YAML package names.
func (p *parser) failYAML(err error) {
	line, message := 0, err.Error()
	if y, ok := errors.AsType[yaml.Error](err); ok {
		message = y.GetMessage()
		if token := y.GetToken(); token != nil {
			line = token.Position.Line // from 1, and the first line of the YAML is at index 1
		}
	}
	p.fail(line, "the front matter is not YAML: %s; a text with a colon stands in quotes", message)
}
