package display_test

import (
	"fmt"
	"strings"
	"testing"

	"manyhands/internal/course"
	"manyhands/internal/gonb"
	"manyhands/internal/kernel"
	"manyhands/internal/notebook"
)

// startKernel starts the real GoNB, as the course does.
func startKernel(t *testing.T) *kernel.Kernel {
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

// transcript writes down outputs in their order.
func transcript(outputs []notebook.Output) string {
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

// TestOrder prints and displays in turn, many times, on the real kernel: all has to come out in the order it was sent.
func TestOrder(t *testing.T) {
	const times = 100
	k := startKernel(t)
	outputs, err := k.Execute(t.Context(), fmt.Sprintf(`
import (
	"fmt"
	"strings"
	"manyhands/helpers/display"
)

%%%%
for i := range %d {
	fmt.Printf("before %%d %%s\n", i, strings.Repeat("x", i%%7*997))
	if err := display.HTML(fmt.Sprint(i)); err != nil { panic(err) }
	fmt.Printf("after %%d\n", i)
}
`, times), kernel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for i := range times {
		fmt.Fprintf(&want, "before %d %s\n<%d>\nafter %d\n", i, strings.Repeat("x", i%7*997), i, i)
	}
	if got := transcript(outputs); got != want.String() {
		t.Errorf("out of order:\n%.2000s", got)
	}
}
