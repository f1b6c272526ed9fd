package chart

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"manyhands/helpers/timeline"
)

// What a timeline is thinned to before it is drawn.
const (
	MaxSpans = 3200
	MaxLanes = 160
)

// A look is how a state is drawn: colour and share of the lane's height, so that what does not work is thin.
type look struct {
	colour string
	height float64
}

// looks are those of the states that package timeline records, in the order of the legend.
var looks = []struct {
	state timeline.State
	look
}{
	{timeline.Blocked, look{"@faint", 0.14}},
	{timeline.Waiting, look{"@faint", 0.14}},
	{timeline.Running, look{"@blue", 0.74}},
	{timeline.Syscall, look{"@purple", 0.44}},
	{timeline.GC, look{"@sky", 0.74}},
	{timeline.Mixed, look{"@muted", 0.3}},
	{timeline.Runnable, look{"@alarm", 0.74}},
}

// otherLooks are those of states that a program named itself.
var otherLooks = []string{"@green", "@orange", "@purple", "@sky", "@blue"}

// Lanes draws a timeline: a lane for each worker, goroutine or processor, and on it what it did when. Waiting for a
// core is in the alarm colour; what is blocked or waits is a thin line. The title says how many ran at once and how
// much work was done in how much time, or how much of it was spent waiting for a core.
//
// A timeline of more than [MaxSpans] spans or [MaxLanes] lanes is thinned, see [timeline.Timeline.Thin], and the note
// under the chart says so.
func Lanes(t *timeline.Timeline) Chart {
	if t == nil || len(t.Lanes) == 0 {
		return empty("lanes", "an empty timeline: nothing was recorded")
	}
	if err := t.Validate(); err != nil {
		return empty("lanes", err.Error())
	}
	thin, omitted := sampleLanes(t)
	thin = thin.Thin(MaxSpans)
	u := unitFor("s", t.Length.Seconds())
	digits := precision(t.Length.Seconds() * u.scale)
	at := func(d time.Duration) float64 { return round(d.Seconds()*u.scale, digits) }

	states := statesOf(thin)
	data := make(map[timeline.State]list)
	labels := make(map[timeline.State]list)
	names := list{}
	labelled := len(thin.Lanes) <= 24
	for i, lane := range thin.Lanes {
		names = append(names, label(lane.Name))
		for _, span := range lane.Spans {
			data[span.State] = append(data[span.State], list{i, at(span.Start), at(span.End)})
			labels[span.State] = append(labels[span.State], label(span.Label))
		}
		labelled = labelled && len(lane.Spans) <= 12
	}
	if len(states) == 0 {
		return empty("lanes", "an empty timeline: its lanes have no spans")
	}
	series := list{}
	for _, s := range states {
		payload := option{"height": s.height}
		if labelled && s.colour == "@blue" {
			payload["labels"] = labels[s.state]
		}
		series = append(series, option{
			"type": "custom", "name": string(s.state), "renderItem": "@lanes", "itemPayload": payload,
			"itemStyle": option{"color": s.colour}, "encode": option{"x": list{1, 2}, "y": 0}, "data": data[s.state],
		})
	}
	table := lanesTable(t, states)
	return Chart{
		kind:        "lanes",
		title:       lanesFinding(t),
		height:      min(max(24*len(thin.Lanes), 60), 600) + 90,
		note:        sentences(omitted, merged(thin.Omitted)),
		table:       table.bounded(),
		description: describe(fmt.Sprintf("Timeline of %d lanes over %s.", len(t.Lanes), duration(t.Length)), table),
		option: option{
			"grid":    grid(30, 26),
			"legend":  option{"left": "left", "top": 0},
			"tooltip": option{"formatter": "@span"},
			"xAxis":   timeAxis(u, at(t.Length)),
			"yAxis": option{"type": "category", "inverse": true, "data": names, "axisLabel": beside(names),
				"axisLine": option{"show": false}},
			"series": series,
		},
	}
}

// merged is the note on what [timeline.Timeline.Thin] did.
func merged(o timeline.Omission) string {
	if o.Merged == 0 {
		return ""
	}
	return fmt.Sprintf("%d spans shorter than %s are drawn as one with those of the same state beside them", o.Merged, duration(o.Shorter))
}

// sampleLanes leaves out lanes of a timeline that has too many to tell apart: it keeps the first, the last and evenly
// spaced ones between.
func sampleLanes(t *timeline.Timeline) (*timeline.Timeline, string) {
	n := len(t.Lanes)
	if n <= MaxLanes {
		return t, ""
	}
	out := *t
	out.Lanes = make([]timeline.Lane, MaxLanes)
	for i := range out.Lanes {
		out.Lanes[i] = t.Lanes[i*(n-1)/(MaxLanes-1)]
	}
	return &out, fmt.Sprintf("%d of the %d lanes are drawn, evenly spaced; title and table count all", MaxLanes, n)
}

// A drawnState is a state with its look.
type drawnState struct {
	state timeline.State
	look
}

// statesOf returns the states that occur, those of package timeline last, as what is drawn later lies on top.
func statesOf(t *timeline.Timeline) []drawnState {
	var states []drawnState
	known := func(s timeline.State) int {
		for i, l := range looks {
			if l.state == s {
				return i
			}
		}
		return -1
	}
	seen := map[timeline.State]bool{}
	others := 0
	for _, span := range t.Spans() {
		if seen[span.State] {
			continue
		}
		seen[span.State] = true
		d := drawnState{state: span.State}
		if i := known(span.State); i >= 0 {
			d.look = looks[i].look
		} else {
			d.look = look{otherLooks[others%len(otherLooks)], 0.74}
			others++
		}
		states = append(states, d)
	}
	slices.SortStableFunc(states, func(a, b drawnState) int { return known(a.state) - known(b.state) })
	return states
}

// lanesFinding is what a timeline shows, as a title.
func lanesFinding(t *timeline.Timeline) string {
	running, runnable := t.Total(timeline.Running), t.Total(timeline.Runnable)
	busy := running + runnable + t.Total(timeline.Syscall)
	if blocked := t.Total(timeline.Blocked); blocked > 10*busy {
		return fmt.Sprintf("%d goroutines, blocked %s of their time", len(t.Lanes),
			percent(blocked.Seconds()/(blocked+busy).Seconds()))
	}
	if share := runnable.Seconds() / (running + runnable).Seconds(); share > 0.1 {
		return fmt.Sprintf("At most %d of %d ran at once; %s of the time they could have run they waited for a core",
			t.MaxConcurrent(timeline.Running), len(t.Lanes), percent(share))
	}
	switch n := t.MaxConcurrent(timeline.Running); n {
	case 0:
		return fmt.Sprintf("%d lanes over %s", len(t.Lanes), duration(t.Length))
	case 1:
		return fmt.Sprintf("One at a time: %s of work in %s", duration(running), duration(t.Length))
	default:
		return fmt.Sprintf("%d at once: %s of work in %s", n, duration(running), duration(t.Length))
	}
}

// lanesTable has the time that each lane spent in each state.
func lanesTable(t *timeline.Timeline, states []drawnState) table {
	out := table{Columns: []string{"lane", "spans"}}
	for _, s := range states {
		out.Columns = append(out.Columns, label(string(s.state)))
	}
	for _, lane := range t.Lanes {
		spans := 0
		for _, s := range lane.Spans {
			spans += max(1, s.Count)
		}
		row := []string{label(lane.Name), fmt.Sprint(spans)}
		for _, s := range states {
			cell := ""
			if total := lane.Total(s.state); total > 0 {
				cell = duration(total)
			}
			row = append(row, cell)
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

// CPU draws how busy each core was over time, all programs of the machine together. The title says how many cores were
// busy on average.
func CPU(usage *timeline.Usage) Chart {
	if usage == nil || len(usage.Cores) == 0 || len(usage.At) == 0 {
		return empty("cpu", "no CPU use was sampled")
	}
	for i, core := range usage.Cores {
		if len(core) != len(usage.At) {
			return empty("cpu", fmt.Sprintf("core %d has %d samples, expected one for each of %d intervals", i, len(core), len(usage.At)))
		}
		if _, n := onlyFinite(core); n > 0 {
			return empty("cpu", fmt.Sprintf("core %d has %d samples that are no finite numbers", i, n))
		}
	}
	if !slices.IsSorted(usage.At) || usage.At[0] <= 0 {
		return empty("cpu", "the ends of the intervals do not go up from above zero")
	}
	end := usage.At[len(usage.At)-1]
	u := unitFor("s", end.Seconds())
	digits := precision(end.Seconds() * u.scale)
	at := func(d time.Duration) float64 { return round(d.Seconds()*u.scale, digits) }

	step := (len(usage.Cores)*len(usage.At) + MaxSpans - 1) / MaxSpans // intervals drawn as one
	names, data := list{}, list{}
	t := table{Columns: []string{"core", "mean", "least", "most"}}
	busy := 0.0
	for i, core := range usage.Cores {
		names = append(names, fmt.Sprintf("core %d", i))
		mean, least, most := meanUse(usage.At, core)
		busy += mean / 100
		t.Rows = append(t.Rows, []string{fmt.Sprintf("core %d", i), percent(mean / 100), percent(least / 100), percent(most / 100)})
		from := time.Duration(0)
		for j := 0; j < len(core); j += step {
			to := usage.At[min(j+step, len(core))-1]
			use := slices.Max(core[j:min(j+step, len(core))])
			data = append(data, list{i, at(from), at(to), round(min(max(use, 0), 100)/100, 3)})
			from = to
		}
	}
	note := "The height of a lane is 100 % of a core; all programs of the machine count"
	if step > 1 {
		note += fmt.Sprintf("; %d samples are drawn as one, the highest of them", step)
	}
	cores := len(usage.Cores)
	return Chart{
		kind:        "cpu",
		title:       fmt.Sprintf("%.1f of %d cores busy on average (%s)", busy, cores, percent(busy/float64(cores))),
		height:      min(max(44*cores, 60), 600) + 56,
		note:        sentences(note),
		table:       t.bounded(),
		description: describe(fmt.Sprintf("Use of each of %d cores over %s.", cores, duration(end)), t),
		option: option{
			"grid":    grid(8, 26),
			"tooltip": option{"formatter": "@use"},
			"xAxis":   timeAxis(u, at(end)),
			"yAxis": option{"type": "category", "inverse": true, "data": names, "axisLabel": beside(names),
				"splitLine": option{"show": true}},
			"series": list{option{
				"type": "custom", "name": "CPU use", "renderItem": "@lanes", "itemPayload": option{"height": 0.86},
				"itemStyle": option{"color": "@blue"}, "encode": option{"x": list{1, 2}, "y": 0}, "data": data,
			}},
		},
	}
}

// timeAxis is an axis that ends with the data. Its end is labelled only if that is as round a number as the others.
func timeAxis(u unit, end float64) option {
	round, err := strconv.ParseFloat(strconv.FormatFloat(end, 'g', 2, 64), 64)
	return option{
		"type": "value", "name": u.axis("time"), "nameLocation": "middle", "nameGap": 28, "min": 0, "max": end,
		"axisLabel": option{"showMaxLabel": err == nil && round == end},
	}
}

// meanUse returns the mean of a core's use, weighted by the length of the intervals, and its extremes.
func meanUse(at []time.Duration, core []float64) (mean, least, most float64) {
	var area float64
	from := time.Duration(0)
	for i, use := range core {
		area += use * (at[i] - from).Seconds()
		from = at[i]
	}
	return area / from.Seconds(), slices.Min(core), slices.Max(core)
}
