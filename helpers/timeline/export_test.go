package timeline

// TraceWithin is Trace with a limit that a test can reach.
var TraceWithin = traceWithin

const MaxSpans, MaxLanes = maxSpans, maxLanes
