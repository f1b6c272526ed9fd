package display_test

import (
	"fmt"
	"strings"
	"testing"

	"manyhands/internal/kerneltest"
)

// TestOrder prints and displays in turn, many times, on the real kernel: all has to come out in the order it was sent.
func TestOrder(t *testing.T) {
	const times = 100
	got := kerneltest.Run(t, kerneltest.Start(t), fmt.Sprintf(`
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
`, times))
	var want strings.Builder
	for i := range times {
		fmt.Fprintf(&want, "before %d %s\n<%d>\nafter %d\n", i, strings.Repeat("x", i%7*997), i, i)
	}
	if got != want.String() {
		t.Errorf("out of order:\n%.2000s", got)
	}
}
