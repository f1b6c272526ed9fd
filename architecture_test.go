package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestArchitecture holds the README's picture of the packages against their
// imports: each package is in it, and imports only such as come after it.
func TestArchitecture(t *testing.T) {
	shown := picture(t)
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./internal/...", "./helpers/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	for line := range strings.Lines(strings.ReplaceAll(string(out), "manyhands/", "")) {
		name, imports, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "manyhands" || name == "helpers" { // the latter has only tests
			continue
		}
		there = append(there, name)
		place := slices.Index(shown, name)
		if place < 0 {
			t.Errorf("README.md does not show %s: add it to the picture under \"How it is laid out\"", name)
			continue
		}
		for path := range strings.FieldsSeq(imports) {
			if below := slices.Index(shown, path); below >= 0 && below <= place {
				t.Errorf("%s imports %s, which README.md shows before it: move one of them in the picture, or import less", name, path)
			}
		}
	}
	for _, name := range shown {
		if !slices.Contains(there, name) {
			t.Errorf("README.md shows %s, which is not there: take it out of the picture", name)
		}
	}
}

// TestListed looks for a link to every lesson and practical in the README, and
// to every lesson in the map of the first.
func TestListed(t *testing.T) {
	welcome := filepath.Join("lessons", "00-welcome.md")
	for list, patterns := range map[string][]string{
		"README.md": {"lessons/[0-9]*.md", "lessons/practicals/[0-9]*.md"},
		welcome:     {"lessons/[0-9]*.md"},
	} {
		text, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		for _, pattern := range patterns {
			paths, err := filepath.Glob(pattern)
			if err != nil || len(paths) == 0 {
				t.Fatal(pattern, err)
			}
			for _, path := range paths {
				link, err := filepath.Rel(filepath.Dir(list), path)
				if err != nil {
					t.Fatal(err)
				}
				if path != list && !strings.Contains(string(text), "]("+filepath.ToSlash(link)+")") {
					t.Errorf("%s does not link to %s: add it where the others are listed", list, link)
				}
			}
		}
	}
}

// picture returns the packages that the README shows, in its order.
func picture(t *testing.T) (shown []string) {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(readme), "```text\n")
	block, _, ok := strings.Cut(block, "```")
	if !ok {
		t.Fatal("README.md has no picture, a block of text")
	}
	const names = 14 // the column where they begin
	folder := ""
	for line := range strings.Lines(block) {
		switch strings.TrimSpace(line[:names]) {
		case "":
		case "helpers":
			folder = "helpers/"
		default:
			folder = "internal/"
		}
		for name := range strings.SplitSeq(strings.Trim(line[names:], " ,\n"), ", ") {
			shown = append(shown, folder+name)
		}
	}
	return shown
}

// TestClockMayBeSet finds code that would measure time by the day's clock, which can be
// set while the code waits; only the times that time.Now returns also count on.
func TestClockMayBeSet(t *testing.T) {
	dayTime := regexp.MustCompile(`time\.Unix(Milli|Micro)?\(|time\.Now\(\)(\.\w+\(\))*\.(Unix|Round|Truncate)|\.ModTime\(\)\.(Before|After|Sub)`)
	allowed := map[string]string{ // a word of the line, and why
		"helpers/ledger/record.go":     "Getpid",          // the name of a run
		"helpers/portscan/portscan.go": "SetReadDeadline", // long ago
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{$p := .ImportPath}}{{range .GoFiles}}{{$p}}/{{.}}{{"\n"}}{{end}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for path := range strings.FieldsSeq(strings.ReplaceAll(string(out), "manyhands/", "")) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if !dayTime.MatchString(line) {
				continue
			}
			found++
			if word := allowed[path]; word == "" || !strings.Contains(line, word) {
				t.Errorf("%s: %s", path, strings.TrimSpace(line))
			}
		}
	}
	if found < len(allowed) {
		t.Error("what is allowed is not there")
	}
}
