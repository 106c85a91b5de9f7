package boundary

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// docs/rfc*.md and docs/gntp.md hold what a specification demands, what we do, and the tests that prove it: rows of a table with this head.
const requirementsHead = "| section | level | requirement | what we do | test |"

var (
	levels   = []string{"MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY", "must", "should", "may"} // in lower case where the RFC has it so
	testName = regexp.MustCompile(`\b(Test|Fuzz|Example)[A-Z0-9_]\w*`)
)

func TestRequirements(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "docs", "rfc*.md"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	tests := testNames(t)
	for _, name := range append(files, filepath.Join("..", "..", "docs", "gntp.md")) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			for _, complaint := range checkRequirements(string(text), tests) {
				t.Error(complaint)
			}
		})
	}
}

// testNames lists the tests, fuzz targets and examples of every package of ours.
func testNames(t *testing.T) map[string]bool {
	names := make(map[string]bool)
	for _, p := range loaded(t).ours() {
		for _, file := range append(slices.Clone(p.TestGoFiles), p.XTestGoFiles...) {
			source, err := os.ReadFile(filepath.Join(p.Dir, file))
			require.NoError(t, err)
			for _, m := range regexp.MustCompile(`(?m)^func (\w+)\(`).FindAllStringSubmatch(string(source), -1) {
				names[m[1]] = true
			}
		}
	}
	return names
}

// checkRequirements says what is wrong with a table: a row that is none, a test that does not exist, a claim without a test or a reason
// why it has none. A row whose deed begins with "not done" claims nothing.
func checkRequirements(text string, tests map[string]bool) (complaints []string) {
	rows := 0
	for n, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "|") || line == requirementsHead || strings.Trim(line, "|- ") == "" {
			continue
		}
		rows++
		complain := func(what string) { complaints = append(complaints, fmt.Sprintf("line %d: %s", n+1, what)) }
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != strings.Count(requirementsHead, "|")-1 {
			complain(fmt.Sprintf("a row of %d cells", len(cells)))
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		section, level, rule, deed, proof := cells[0], cells[1], cells[2], cells[3], cells[4]
		if section == "" || rule == "" || deed == "" {
			complain("an empty cell")
		}
		if !slices.Contains(levels, level) {
			complain("no such level: " + level)
		}
		for _, name := range testName.FindAllString(proof, -1) {
			if !tests[name] {
				complain("there is no " + name)
			}
		}
		if !testName.MatchString(proof) && !strings.Contains(proof, " ") && !strings.HasPrefix(deed, "not done") {
			complain("neither a test nor a reason why there is none")
		}
	}
	if rows == 0 || !strings.Contains(text, requirementsHead+"\n") {
		complaints = append(complaints, "no table with the head "+requirementsHead)
	}
	return complaints
}

func TestCheckRequirementsSeesWhatIsWrong(t *testing.T) {
	head := requirementsHead + "\n|---|---|---|---|---|\n"
	for row, want := range map[string]string{
		"| 7.1 | MUST | x | y | TestA, TestA_b (sip) |":             "",
		"| 7.1 | MUST NOT | x | y | package sip: it is about SDP |": "",
		"| 7.1 | MAY | x | not done: no need | |":                   "",
		"| 7.1 | MUST | x | y | TestA, TestGone |":                  "no TestGone",
		"| 7.1 | MUST | x | y | FuzzGone |":                         "no FuzzGone",
		"| 7.1 | MUST | x | y | |":                                  "neither a test nor a reason",
		"| 7.1 | MUST | x | y | – |":                                "neither a test nor a reason",
		"| 7.1 | WILL | x | y | TestA |":                            "no such level",
		"| | MUST | x | y | TestA |":                                "an empty cell",
		"| 7.1 | MUST | | y | TestA |":                              "an empty cell",
		"| 7.1 | MUST | x | y | TestA | z |":                        "a row of 6 cells",
		"text alone":                                                "no table",
	} {
		got := checkRequirements(head+row+"\n", map[string]bool{"TestA": true, "TestA_b": true})
		if want == "" {
			assert.Empty(t, got, row)
		} else if assert.Len(t, got, 1, row) {
			assert.Contains(t, got[0], want, row)
		}
	}
	assert.NotEmpty(t, checkRequirements("| section | level | requirement | what we do |\n|---|---|---|---|\n", nil), "another head")
}
