// Package lessons names the libraries that cells import beside the standard
// library and the course's helpers. Nothing uses the package: it is there so
// that go.mod keeps these libraries, and so that setting up the course
// downloads and compiles them before the first cell needs them.
package lessons

import (
	_ "github.com/alitto/pond/v2"                     // lesson 04: a production pool, well kept and without dependencies
	_ "github.com/hibiken/asynq"                      // lesson 12: jobs on Redis, with retries, deadlines and a dashboard
	_ "github.com/shirou/gopsutil/v4/mem"             // lesson 00: how much memory the machine has
	_ "github.com/shirou/gopsutil/v4/process"         // lesson 08: how much memory a process has
	_ "github.com/viterin/vek"                        // lesson 06: vector instructions (AVX2) behind plain functions, without cgo
	_ "github.com/viterin/vek/vek32"                  // lesson 06
	_ "go.uber.org/goleak"                            // lesson 09: finds goroutines that outlive a test
	_ "golang.org/x/sync/errgroup"                    // lessons 04 and 09
	_ "golang.org/x/sync/singleflight"                // practical 2: a wrong solution
	_ "golang.org/x/time/rate"                        // lesson 05
	_ "google.golang.org/protobuf/encoding/protowire" // lesson 07: protobuf's wire form, without generated code
)
