package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"html"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with a file in testdata, or writes the file with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; -update writes it anew. First difference:\n%s", name, firstDifference(got, string(want)))
	}
}

func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d\n got: %.300s\nwant: %.300s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(a), len(b))
}

// bare leaves out of a page what other tests look at: style sheet and drawings.
func bare(page []byte) string {
	page = regexp.MustCompile(`(?s)<style>.*?</style>`).ReplaceAll(page, []byte("<style>…</style>"))
	return string(regexp.MustCompile(`(?s)(<svg[^>]*>).*?</svg>`).ReplaceAll(page, []byte("$1…</svg>")))
}

func TestGoldens(t *testing.T) {
	files, err := Files(sampleRun())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "run.md", string(files["report.md"]))
	golden(t, "run.html", bare(files["report.html"]))
	var table bytes.Buffer
	if err := WriteTable(&table, sampleRun(), false); err != nil {
		t.Fatal(err)
	}
	golden(t, "run.txt", table.String())
}

func TestRenderingIsDeterministic(t *testing.T) {
	first, err := Files(sampleRun())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		again, err := Files(sampleRun())
		if err != nil {
			t.Fatal(err)
		}
		if len(again) != len(first) {
			t.Errorf("%d files, then %d", len(first), len(again))
		}
		for name, content := range first {
			if !bytes.Equal(content, again[name]) {
				t.Errorf("%s differs between two renderings", name)
			}
		}
	}
}

// words are all texts of a document, in the order of a page.
func (d *Document) words() []string {
	all := append([]string{d.Title, d.Byline}, append(d.Stamps, d.Verdict...)...)
	for _, s := range d.Sections {
		all = append(all, s.Title)
		for _, b := range s.Blocks {
			switch b := b.(type) {
			case Prose:
				all = append(all, string(b))
			case List:
				all = append(all, b...)
			case Figure:
				all = append(all, b.Alt, b.Caption)
			case Code:
				all = append(all, b.Text)
			case Table:
				for _, c := range b.Columns {
					all = append(all, c.Title)
				}
				for _, row := range b.Rows {
					for _, c := range row {
						all = append(all, c.Text)
					}
				}
			}
		}
	}
	return all
}

// squeezed is what a text says without how it is set: markup, escapes and blanks.
func squeezed(text string) string {
	text = html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(text, " "))
	text = strings.NewReplacer("\\", "", "\u2060", "", "\u00a0", "", "`", "").Replace(text)
	return strings.Join(strings.Fields(text), "")
}

// TestBothPagesSayTheSame looks for every text of a document in both renderings, also
// texts that look like markup.
func TestBothPagesSayTheSame(t *testing.T) {
	d := Of(sampleRun())
	nasty := "a|b <script>alert(1)</script> & *c* [d](http://e) `f|g` h\\i"
	d.Stamps = append(d.Stamps, nasty)
	d.add(nasty, Prose(nasty), List{nasty}, Table{Label: nasty, Columns: columns(nasty), Rows: [][]Cell{cells(nasty)}})
	var md, page bytes.Buffer
	if err := errors.Join(d.WriteMarkdown(&md), d.WriteHTML(&page)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(md.String(), "<script") || strings.Contains(page.String(), "<script") {
		t.Error("text became an element")
	}
	alts := regexp.MustCompile(`aria-label="([^"]*)"`).FindAllStringSubmatch(page.String(), -1)
	var labels strings.Builder
	for _, m := range alts {
		labels.WriteString(" " + m[1])
	}
	inMarkdown, inPage := squeezed(md.String()), squeezed(page.String())+squeezed(labels.String())
	for _, text := range d.words() {
		want := squeezed(html.EscapeString(text))
		if !strings.Contains(inMarkdown, want) {
			t.Errorf("Markdown lacks %q", text)
		}
		if !strings.Contains(inPage, want) {
			t.Errorf("HTML lacks %q", text)
		}
	}
}

func TestPageIsSelfContainedAndWellFormed(t *testing.T) {
	page := string(renderedPage(t))
	for _, m := range regexp.MustCompile(`(?:src|href|action)="([^"]*)"|url\(([^)]*)\)|@import`).FindAllStringSubmatch(page, -1) {
		if target := m[1]; !strings.HasPrefix(target, "#s") && target != "data:," {
			t.Errorf("the page refers to %q", m[0])
		}
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("id %s stands twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?:href="#|labelledby=")([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !ids[m[1]] {
			t.Errorf("no element has the id %s", m[1])
		}
	}
	decoder := xml.NewDecoder(strings.NewReader(page))
	decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	depth := 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
	}
	if depth != 0 {
		t.Errorf("%d elements are not closed", depth)
	}
}

func TestSpans(t *testing.T) {
	tests := []struct{ text, markdown, html string }{
		{"plain", "plain", "plain"},
		{"run `make <x>` now", "run `make <x>` now", "run <code>make &lt;x&gt;</code> now"},
		{"a lone ` stays", "a lone \\` stays", "a lone ` stays"},
		{"`a|b` | c", "`a\\|b` \\| c", "<code>a|b</code> | c"},
		{"95 % interval 1.2–3.4", "95 % interval 1.2–3.4", "95\u00a0% interval 1.2–\u20603.4"},
		{"[1, 2](x)", "[1, 2]\\(x)", "[1, 2](x)"},
		{"two\nlines", "two lines", "two\nlines"},
	}
	for _, tt := range tests {
		if got := markdown(tt.text); got != tt.markdown {
			t.Errorf("markdown of %q is %q, want %q", tt.text, got, tt.markdown)
		}
		if got := inline(tt.text); got != tt.html {
			t.Errorf("html of %q is %q, want %q", tt.text, got, tt.html)
		}
	}
}

func TestTableKeepsToOneScreenAndColoursVerdicts(t *testing.T) {
	r := sampleRun()
	for len(r.Findings.Comparisons) < 90 {
		r.Findings.Comparisons = append(r.Findings.Comparisons, r.Findings.Comparisons...)
	}
	var plain, colored bytes.Buffer
	if err := errors.Join(WriteTable(&plain, r, false), WriteTable(&colored, r, true)); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(plain.String(), "\n"); lines > 40 || !strings.Contains(plain.String(), "more comparisons are in the report") {
		t.Errorf("%d lines:\n%s", lines, plain.String())
	}
	without := regexp.MustCompile(`\x1b\[[0-9]+m`).ReplaceAllString(colored.String(), "")
	if without != plain.String() || without == colored.String() {
		t.Error("colour changes more than the colour, or nothing")
	}
	if Colorful(&plain) {
		t.Error("a buffer is taken for a terminal")
	}
}
