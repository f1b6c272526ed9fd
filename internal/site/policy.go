package site

import (
	"regexp"

	"github.com/microcosm-cc/bluemonday"
)

// policy is what a stranger's HTML may hold: text, tables, pictures and
// folding; no script, style, form, frame or event.
func policy() *bluemonday.Policy {
	p := bluemonday.UGCPolicy()
	p.AllowDataURIImages()
	p.AllowURLSchemes("attachment")
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^(language-[\w+#-]+|formula( display)?|footnotes|footnote-(ref|backref))$`)).
		OnElements("code", "span", "div", "a")
	p.AllowAttrs("role").Matching(regexp.MustCompile(`^doc-[a-z]+$`)).OnElements("a", "div")
	p.AllowAttrs("type").Matching(regexp.MustCompile(`^checkbox$`)).OnElements("input")
	p.AllowAttrs("checked", "disabled").OnElements("input")
	return p
}
