package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"manyhands/helpers/server"
)

// BenchmarkHandler reports what queueing, answering and logging cost a
// request, without a network. Most of it is net/http writing the answer.
func BenchmarkHandler(b *testing.B) {
	s := server.Sleepy(server.Limits{AtOnce: 10})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
}

// BenchmarkRequest reports what a request costs over a connection that is kept alive.
func BenchmarkRequest(b *testing.B) {
	s := server.Sleepy(server.Limits{AtOnce: 10}).Start()
	defer s.Close()
	download(b, s.URL)
}

// BenchmarkDownload reports how fast the largest file comes over a link without
// limits: what a shaped link has to stay below, if it is to be the narrowest part.
func BenchmarkDownload(b *testing.B) {
	s := server.Files(1, server.Limits{}).Start()
	defer s.Close()
	b.SetBytes(server.FileSizes(1)[4])
	download(b, s.URLs()[4])
}

func download(b *testing.B, url string) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for b.Loop() {
		resp, err := client.Get(url)
		if err != nil {
			b.Fatal(err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil {
			b.Fatal(err)
		}
	}
}
