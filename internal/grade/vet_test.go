package grade

import (
	"strings"
	"testing"

	"manyhands/internal/practical"
)

// TestMeasuredBy has answers that look at what checks measure by, which may be, and
// those that could change it.
func TestMeasuredBy(t *testing.T) {
	q := &practical.Question{Imports: []string{"net/http"}}
	const cores, client = "runtime.GOMAXPROCS has no place", "http.DefaultClient has no place"
	for body, want := range map[string]string{
		"_ = min(4, runtime.GOMAXPROCS(0))":                        "",
		"http.DefaultClient.Do(nil)":                               "",
		"r, err := http.DefaultClient.Get(url); _, _ = r, err":     "",
		"runtime.GOMAXPROCS(1)":                                    cores,
		"n := 1; runtime.GOMAXPROCS(n - n)":                        cores,
		"set := runtime.GOMAXPROCS; set(1)":                        cores,
		"runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))":                cores,
		"runtime.SetDefaultGOMAXPROCS()":                           "runtime.SetDefaultGOMAXPROCS has no place",
		"http.DefaultClient = nil":                                 client,
		"http.DefaultClient.Transport = nil":                       client,
		"c := http.DefaultClient; c.Transport = nil":               client,
		"*http.DefaultClient = http.Client{}":                      client,
		"func(c **http.Client) { *c = nil }(&http.DefaultClient)":  client,
		"http.DefaultClient.Get(url); http.DefaultClient = nil":    client,
		"http.DefaultTransport.(*http.Transport).MaxIdleConns = 1": "http.DefaultTransport has no place",
	} {
		_, err := vet(q, "func f(url string) {\n\t"+body+"\n}", nil)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", body, err, want)
		}
	}
}
