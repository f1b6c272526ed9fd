package lessons_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var toFile = regexp.MustCompile(`\]\(([\w./-]+\.(?:md|ipynb))[#)]`)

// TestLinksLeadToSources follows the links from lesson to lesson. In these files they
// lead to Markdown that is here; only what is made of them has notebooks.
func TestLinksLeadToSources(t *testing.T) {
	lessons, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	practicals, err := filepath.Glob("practicals/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, path := range append(lessons, practicals...) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range toFile.FindAllSubmatch(text, -1) {
			found++
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), string(link[1]))); err != nil {
				t.Errorf("lessons/%s: the link to %s leads nowhere: %v", path, link[1], err)
			}
		}
	}
	if found == 0 {
		t.Error("there are no links: this test has looked for nothing")
	}
}
