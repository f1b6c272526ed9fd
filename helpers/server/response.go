package server

import (
	"net/http"
	"strconv"
)

// A response counts what is sent. The last byte of a body of known length it
// writes by itself, which leaves it in net/http's buffer until the handler has
// returned: the end of a request is noted before the client can have it all.
// Where sending takes time, what comes before that byte is sent at once, so
// that the time noted spans it.
type response struct {
	http.ResponseWriter
	shaped bool // sending takes time
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
	if r.shaped {
		if err := http.NewResponseController(r.ResponseWriter).Flush(); err != nil {
			r.failed = true
			return last, err
		}
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
