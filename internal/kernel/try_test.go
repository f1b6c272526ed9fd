package kernel_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"manyhands/internal/course"
	"manyhands/internal/gonb"
	"manyhands/internal/kernel"
)

func TestTry(t *testing.T) {
	c, _ := course.FindFrom("/tmp/kern/many hands")
	tc, err := gonb.Install(t.Context(), c, os.Stderr)
	if err != nil { t.Fatal(err) }
	t0:=time.Now()
	fmt.Println(gonb.Warm(t.Context(), c, tc, os.Getenv("RACE")!="", os.Stderr))
	fmt.Println("warm", time.Since(t0))
	spec:=tc.Spec(c)
	spec.Env=append(spec.Env,"GOPROXY=off") 
		k, err := kernel.Start(t.Context(), spec, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		for _, src := range []string{`import "manyhands/helpers/measure"
import "manyhands/helpers/display"
import "manyhands/helpers/chart"
`,`%%
fmt.Print(measure.Compare(measure.Options{Repeats: 7}, measure.Case("in a row", func() { time.Sleep(time.Millisecond) })))`, 
`%%
display.Markdown("*hi*")`, "import _ \"github.com/foo/bar\"\n%%\nprintln(1)", "%%\nprintln(http.StatusOK)", "%%script python3\nimport sys; print(sys.executable)"} {
		t0:=time.Now()
			o, err := k.Execute(t.Context(), src, kernel.Options{Timeout: time.Minute})
			fmt.Printf("%v %+v\n%v\n", time.Since(t0),o,err)
		}
		k.Close()
}
