package kernel

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestMessageRoundTrip(t *testing.T) {
	key := []byte("secret")
	frames, id, err := encode(key, "session", "execute_request", map[string]string{"code": "é"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := decode(key, append([][]byte{[]byte("routing")}, frames...))
	if err != nil {
		t.Fatal(err)
	}
	if m.header.ID != id || m.header.Type != "execute_request" || string(m.content) != `{"code":"é"}` {
		t.Errorf("got %+v", m)
	}
	for i := 2; i < len(frames); i++ {
		forged := append([][]byte{}, frames...)
		forged[i] = append(bytes.Clone(frames[i]), ' ')
		if _, err := decode(key, forged); err == nil {
			t.Errorf("a message whose part %d was changed is accepted", i)
		}
	}
	if _, err := decode([]byte("other"), frames); err == nil {
		t.Error("a message signed with another key is accepted")
	}
}

// FuzzDecode feeds messages to all that reads them: whatever a kernel sends,
// it ends in outputs or in an error.
func FuzzDecode(f *testing.F) {
	for _, seed := range []struct{ kind, content string }{
		{"stream", `{"name":"stdout","text":"a"}`},
		{"status", `{"execution_state":"idle"}`},
		{"execute_reply", `{"status":"error","ename":"E","evalue":"v","traceback":["t"]}`},
		{"error", `{"ename":"E","evalue":"v","traceback":["t"]}`},
		{"display_data", `{"data":{"text/plain":"a","application/json":{"a":[1,null]}},"metadata":{},"transient":{"display_id":"1"}}`},
		{"update_display_data", `{"data":null,"transient":{"display_id":"1"}}`},
		{"execute_result", `{"data":{},"execution_count":1}`},
		{"clear_output", `{"wait":true}`},
		{"input_request", `{"prompt":"?"}`},
		{"stream", `null`},
		{"error", `[]`},
	} {
		header, _ := json.Marshal(map[string]string{"msg_id": "1", "msg_type": seed.kind})
		f.Add(header, []byte(`{"msg_id":"me"}`), []byte(seed.content), byte(iopub), 5)
	}
	key := []byte("secret")
	f.Fuzz(func(t *testing.T, header, parent, content []byte, c byte, drop int) {
		frames := [][]byte{[]byte("topic"), []byte(delimiter), sign(key, header, parent, []byte("{}"), content),
			header, parent, []byte("{}"), content}
		if drop >= 0 && drop < len(frames) {
			decode(key, append(frames[:drop:drop], frames[drop+1:]...))
		}
		m, err := decode(key, frames)
		if err != nil {
			return
		}
		m.channel = channel(c) % channels
		inputRequest(m)
		r := run{id: "me", collector: newCollector(1<<10, cleaner("/tmp/kernel-1", nil))}
		for range 3 {
			r.take(m)
		}
		size := 0
		for _, o := range r.collector.result(nil).outputs {
			size += len(o.Text) + len(o.EValue)
		}
		if size > maxOutputs*(1<<10+overhead)+1<<10 {
			t.Errorf("the outputs have %d bytes", size)
		}
	})
}
