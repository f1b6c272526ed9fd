package server

import (
	"net/http"
	"strconv"
)

// A response counts what is sent. It sends all but the last byte of a body of
// known length itself, and leaves that one in net/http's buffer, which is sent
// when the handler has returned: so the time noted for a request spans the
// sending, and yet is noted before the client can know that it has everything.
type response struct {
	http.ResponseWriter
	status int
	length int64 // of the body
	bytes  int64 // of the body, sent
	failed bool
}

// Unwrap is for [http.ResponseController].
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *response) WriteHeader(status int) {
	r.status = status
	r.length, _ = strconv.ParseInt(r.Header().Get("Content-Length"), 10, 64)
	r.ResponseWriter.WriteHeader(status)
}

func (r *response) Write(p []byte) (int, error) {
	if r.bytes+int64(len(p)) != r.length || len(p) == 0 {
		return r.write(p)
	}
	last := len(p) - 1
	if n, err := r.write(p[:last]); err != nil {
		return n, err
	}
	if err := http.NewResponseController(r.ResponseWriter).Flush(); err != nil {
		r.failed = true
		return last, err
	}
	n, err := r.write(p[last:])
	return last + n, err
}

func (r *response) write(p []byte) (int, error) {
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	r.failed = r.failed || err != nil
	return n, err
}
