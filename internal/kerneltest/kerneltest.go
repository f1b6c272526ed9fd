// Package kerneltest runs cells on the real GoNB in tests, as the course does:
// what a helper prints and displays is only known there.
package kerneltest

import (
	"fmt"
	"strings"
	"testing"

	"manyhands/internal/course"
	"manyhands/internal/gonb"
	"manyhands/internal/kernel"
	"manyhands/internal/notebook"
)

// Start starts a kernel for the time of the test.
func Start(t testing.TB) *kernel.Kernel {
	t.Helper()
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	tools, err := gonb.Install(t.Context(), c, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	k, err := kernel.Start(t.Context(), tools.Spec(c), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

// Run runs a cell and returns its outputs in their order: text as it is, and
// what is displayed as its HTML between < and >. A cell that fails ends the test.
func Run(t testing.TB, k *kernel.Kernel, cell string) string {
	t.Helper()
	outputs, err := k.Execute(t.Context(), cell, kernel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, o := range outputs {
		if o.Type == notebook.Stream {
			b.WriteString(o.Text)
		} else {
			fmt.Fprintf(&b, "<%v>\n", o.Data["text/html"])
		}
	}
	return b.String()
}
