// Package lessons names the libraries that cells import beside the standard
// library and the course's helpers. Nothing uses the package: it is there so
// that go.mod keeps these libraries, and so that setting up the course
// downloads and compiles them before the first cell needs them.
package lessons

import (
	_ "github.com/alitto/pond/v2"         // lesson 04: a production pool, well kept and without dependencies
	_ "github.com/shirou/gopsutil/v4/mem" // lesson 00: how much memory the machine has
	_ "golang.org/x/sync/errgroup"        // lesson 04
	_ "golang.org/x/time/rate"            // lesson 05
)
