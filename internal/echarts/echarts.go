// Package echarts draws the course's charts where no cell runs: it holds the browser files that draw them in a page
// (Apache ECharts and the house runtime manyhands.js) and makes static pictures of them with the same two files, by
// ECharts' own server-side rendering under goja, so that a notebook shows its charts untrusted, printed and without
// JavaScript, and a build needs neither Node nor a browser.
//
// A chart is the JSON of an output of type [MIME], which package manyhands/helpers/chart makes.
package echarts

import (
	_ "embed"
)

// MIME is the type of the output that holds a chart's option, table and texts as JSON.
const MIME = "application/vnd.manyhands.chart+json"

// Script is the part of ECharts 6.1.0 that the course's charts use, half the weight of the whole; tools/echarts says
// what is in it and makes it (Apache License 2.0, see LICENSE and NOTICE).
//
//go:embed echarts.min.js
var Script []byte

// Runtime is manyhands.js. It loads Script as echarts.min.js from beside itself when a page has a chart.
//
//go:embed manyhands.js
var Runtime []byte
