// Package bench has the talks' programs once more, in Python as they were
// written and in Go as the lessons write them, side by side: `go run . bench
// talks` measures them in pairs. A pair does the same work, which a test checks.
//
// The Python is in the folder python, the pools of other libraries are in a
// module of their own, pools, so that the course does not depend on them.
package bench
