package kernel

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// collect adds messages, each "kind content", to a collector and writes its
// outputs as one line each.
func collect(t *testing.T, limit int, messages ...string) string {
	t.Helper()
	c := newCollector(limit, cleaner("/tmp/kernel-1", []string{"/home/me/many hands"}))
	for _, m := range messages {
		kind, content, _ := strings.Cut(m, " ")
		if err := c.add(kind, json.RawMessage(content)); err != nil {
			t.Fatalf("%s: %v", m, err)
		}
	}
	var b strings.Builder
	for _, o := range c.result(nil).outputs {
		fmt.Fprintf(&b, "%s %s %q %v %q %q\n", o.Type, o.Name, o.Text, o.Data, o.EValue, o.Traceback)
	}
	return b.String()
}

func TestCollector(t *testing.T) {
	for _, test := range []struct {
		name     string
		limit    int
		messages []string
		want     string
	}{
		{"streams merge while they are adjacent", 0, []string{
			`stream {"name":"stdout","text":"a"}`, `stream {"name":"stdout","text":"b"}`,
			`stream {"name":"stderr","text":"c"}`, `stream {"name":"stdout","text":"d"}`,
		}, "stream stdout \"ab\" map[] \"\" []\nstream stderr \"c\" map[] \"\" []\nstream stdout \"d\" map[] \"\" []\n"},
		{"a path that came in pieces", 0, []string{
			`stream {"name":"stdout","text":"/tmp/kernel-1/gonb_01"}`, `stream {"name":"stdout","text":"23abcd/main.go:7"}`,
		}, "stream stdout \"main.go:7\" map[] \"\" []\n"},
		{"clear", 0, []string{
			`stream {"name":"stdout","text":"a"}`, `clear_output {"wait":false}`, `stream {"name":"stdout","text":"b"}`,
		}, "stream stdout \"b\" map[] \"\" []\n"},
		{"a clear that waits for ever", 0, []string{
			`stream {"name":"stdout","text":"a"}`, `clear_output {"wait":true}`,
		}, "stream stdout \"a\" map[] \"\" []\n"},
		{"a clear that waits", 0, []string{
			`stream {"name":"stdout","text":"a"}`, `clear_output {"wait":true}`, `display_data {"data":{"text/plain":"b"}}`,
		}, "display_data  \"\" map[text/plain:b] \"\" []\n"},
		{"update", 0, []string{
			`display_data {"data":{"text/plain":"a"},"transient":{"display_id":"1"}}`, `display_data {"data":{"text/plain":"b"}}`,
			`update_display_data {"data":{"text/plain":"c"},"transient":{"display_id":"1"}}`,
		}, "display_data  \"\" map[text/plain:c] \"\" []\ndisplay_data  \"\" map[text/plain:b] \"\" []\n"},
		{"a stream is cut between characters", 6, []string{
			`stream {"name":"stdout","text":"12345é"}`, `stream {"name":"stdout","text":"x"}`,
		}, "stream stdout \"12345\\n[… 3 bytes more, not kept: outputs end at 6 bytes]\\n\" map[] \"\" []\n"},
		{"the large representations of a display go", 30, []string{
			`display_data {"data":{"text/plain":"small","image/png":"` + strings.Repeat("A", 2000) + `"}}`,
		}, "display_data  \"\" map[text/plain:small\n[image/png of 2.0 KiB not kept: an output ends at 30 bytes]] \"\" []\n"},
		{"an error is cut, not dropped", 8, []string{
			`stream {"name":"stdout","text":"` + strings.Repeat("A", 2000) + `"}`, `error {"ename":"E","evalue":"1234567890","traceback":["t","1234567890"]}`,
		}, "stream stdout \"AAAAAAAA\\n[… 1.9 KiB more, not kept: outputs end at 8 bytes]\\n\" map[] \"\" []\n" +
			"error  \"\" map[] \"12345678\\n[… 2 bytes more, not kept: outputs end at 8 bytes]\\n\" [\"t\" \"\\n[… 10 bytes more, not kept: outputs end at 8 bytes]\\n\"]\n"},
		{"widgets have no place in a notebook", 0, []string{`comm_open {}`}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := collect(t, test.limit, test.messages...); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestCleaner(t *testing.T) {
	clean := cleaner("/tmp/kernel-12", []string{"/home/me/many hands", "/"})
	for _, test := range []struct{ text, want string }{
		{"/tmp/kernel-12/gonb_0123abcd/main.go:7", "main.go:7"},
		{"/private/tmp/kernel-12/gonb_0123abcd/main.go:7", "main.go:7"},
		{"/tmp/gonb_0123abcd/main.go:7", "main.go:7"},
		{"# gonb_0123abcd", "# gonb"},
		{"go build -o /tmp/kernel-12/gonb_0123abcd/gonb_0123abcd", "go build -o gonb"},
		{"/tmp/kernel-12/x /tmp/kernel-12 /tmp/kernel-123/x", "/tmp/x /tmp /tmp/kernel-123/x"},
		{"/home/me/many hands/helpers/measure/measure.go:9", "helpers/measure/measure.go:9"},
		{"in /home/me/many hands:", "in .:"},
		{"/home/me/many handsome x/home/me/many hands/y", "/home/me/many handsome x/home/me/many hands/y"},
		{"gonb_pipe_123 gonb_0123abcde", "gonb_pipe_123 gonb_0123abcde"},
		{"/", "/"},
	} {
		if got := clean(test.text); got != test.want {
			t.Errorf("%q became %q, want %q", test.text, got, test.want)
		}
	}
}
