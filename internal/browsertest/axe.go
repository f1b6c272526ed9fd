package browsertest

import (
	_ "embed"
	"time"

	"github.com/chromedp/chromedp"
)

// axe is axe-core 4.14.1 as npm publishes it (Mozilla Public License 2.0, see
// testdata/axe.LICENSE): the checker of accessibility that browsers and
// Lighthouse use themselves.
//
//go:embed testdata/axe.min.js
var axe string

// Violations returns what axe-core finds wrong with the page as it stands: a
// line for each element that breaks a rule of WCAG 2.2, levels A and AA, or of
// axe's best practices. Only the rules named are run, where any are.
func (tab *Tab) Violations(rules ...string) []string {
	tab.t.Helper()
	if !Within(tab, time.Minute, chromedp.Evaluate[bool](`typeof axe === "object"`)) {
		Within(tab, time.Minute, chromedp.Evaluate[chromedp.Void](axe))
	}
	const run = `async (rules) => {
		const wanted = rules ? { type: "rule", values: rules }
			: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] };
		// What the page's scripts do when its size has changed comes with the next frame, if ever one is drawn.
		await new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); setTimeout(done, 30_000); });
		const { violations } = await axe.run(document, { runOnly: wanted, resultTypes: ["violations"], preload: false });
		return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => id + ": " + target.join(" ") + ": " + failureSummary.split("\n").slice(1).join(" ").trim()));
	}`
	return call[[]string](tab, run, []any{rules}, chromedp.EvalAwaitPromise)
}
