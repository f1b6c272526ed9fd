package bench

// Groups are all groups, in the order in which they are shown.
var Groups = []Group{
	{"talks", "the talks' programs in Python, and what the lessons make of them in Go", []Benchmarks{
		{"bench", []string{"BenchmarkWaits", "BenchmarkPowers", "BenchmarkSums", "BenchmarkJobs", "BenchmarkRequests",
			"BenchmarkDownloads", "BenchmarkMaximum", "BenchmarkProcesses", "BenchmarkSleepers", "BenchmarkFailure",
			"BenchmarkFindSSH", "BenchmarkFindFiles", "BenchmarkGitStatus"}},
		{"lessons/maximum", []string{"BenchmarkWall"}},
	}},
	{"site", "pages from notebooks, beside nbconvert", []Benchmarks{
		{"internal/site", []string{"BenchmarkCourse"}},
	}},
	{"runner", "notebooks executed, beside nbclient", []Benchmarks{
		{"internal/build", []string{"BenchmarkNotebook", "BenchmarkCourse"}},
	}},
	{"cells", "a cell in the course's kernel, beside go build and stock GoNB", []Benchmarks{
		{"internal/kernel", []string{"BenchmarkCell", "BenchmarkCellCold"}},
	}},
	{"lab", "the lab's second start", []Benchmarks{
		{"internal/lab", []string{"BenchmarkSecondStart"}},
	}},
	{"pools", "the cost of a task in pools of goroutines", []Benchmarks{
		{"bench/pools", []string{"BenchmarkTask"}},
	}},
	{"process", "pools of processes, beside Python's", []Benchmarks{
		{"helpers/process", []string{"BenchmarkCall", "BenchmarkMap", "BenchmarkStart", "BenchmarkMaximum", "BenchmarkTravel"}},
	}},
	{"cluster", "small jobs by way of a broker, beside Dask and RQ", []Benchmarks{
		{"bench", []string{"BenchmarkSmallJobs"}},
	}},
	{"grader", "a class graded, beside nbgrader", []Benchmarks{
		{"internal/practical", []string{"BenchmarkClass"}},
	}},
	{"growth", "cost against size", []Benchmarks{
		{"internal/build", []string{"BenchmarkGrowth"}},
		{"internal/site", []string{"BenchmarkGrowth"}},
		{"internal/grade", []string{"BenchmarkGrowth"}},
		{"helpers/timeline", []string{"BenchmarkGrowth"}},
		{"helpers/process", []string{"BenchmarkGrowth"}},
	}},
}
