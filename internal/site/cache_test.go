package site_test

import (
	"strings"
	"testing"

	"manyhands/internal/site"
)

// A site rendered with a cache is the one rendered without.
func TestCache(t *testing.T) {
	c := sampleCourse(t)
	opt := site.Options{Cache: new(site.Cache)}
	out := render(t, c, opt)
	same := func(what string) map[string]string {
		t.Helper()
		if err := site.Render(t.Context(), c, out, opt); err != nil {
			t.Fatal(err)
		}
		got, want := files(t, out), files(t, render(t, c, site.Options{}))
		t.Log(what)
		wantSame(t, want, got)
		return got
	}
	same("nothing has changed")
	nb := notebookOf("# Pools anew\n\n[guide](../lessons/tags.txt)")
	if err := nb.Write(c.Path("notebooks", "04-pools.ipynb")); err != nil {
		t.Fatal(err)
	}
	if all := same("a title"); !strings.Contains(all["02-threads.html"], "Pools anew") {
		t.Error("another lesson's sidebar has the title of before")
	}
	writeFile(t, c.Path("lessons", "tags.txt"), "changed")
	same("a file that a lesson leads to")
	writeFile(t, c.Path("notebooks", "04-pools.ipynb"), "{")
	wantError(t, site.Render(t.Context(), c, out, opt), "04-pools.ipynb")
	wantError(t, site.Render(t.Context(), c, out, opt), "04-pools.ipynb")
	nb.Cells[0].Source = "# Pools\n\nText."
	if err := nb.Write(c.Path("notebooks", "04-pools.ipynb")); err != nil {
		t.Fatal(err)
	}
	same("a text")
}
