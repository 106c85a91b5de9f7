package boundary

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// rooms know nothing of each other.
var rooms = []string{"msrp", "sip", "otrsession", "contacts", "notify"}

// outside names the modules that a package and those below it may import. The longest path counts.
// What is not named here uses the standard library alone.
var outside = map[string][]string{
	"notify/desktop":           {"github.com/godbus/dbus/v5"},
	"internal/interop/desktop": {"github.com/godbus/dbus/v5"},
	"sip":                      {"github.com/emiago/sipgo", "github.com/gobwas/ws", "github.com/miekg/dns"},
	"internal/dnstest":         {"github.com/miekg/dns"},
	"otrsession":               {"github.com/coyim/otr3", "github.com/coyim/constbn"},
}

// testOutside is what the tests of every package may use besides.
var testOutside = []string{"github.com/stretchr/testify"}

// joins tells whether the package may use several rooms.
func joins(path string) bool {
	return path == "" || within(path, "examples") || within(path, "internal/interop")
}

func room(path string) string {
	for _, r := range rooms {
		if within(path, r) {
			return r
		}
	}
	return ""
}

func TestAllRoomsExist(t *testing.T) {
	ours := loaded(t).ours()
	for _, r := range rooms {
		assert.Contains(t, ours, r)
	}
}

func TestImports(t *testing.T) {
	for _, complaint := range checkImports(loaded(t)) {
		t.Error(complaint)
	}
}

func checkImports(w world) (complaints []string) {
	for path, p := range w.ours() {
		tests := append(slices.Clone(p.TestImports), p.XTestImports...)
		for _, list := range []struct {
			imports []string
			modules []string
			where   string
		}{
			{p.Imports, modulesOf(path), path},
			{tests, append(slices.Clone(testOutside), modulesOf(path)...), "the test of " + path},
		} {
			for _, imported := range list.imports {
				if why := w.forbidden(path, imported, list.modules); why != "" {
					complaints = append(complaints, fmt.Sprintf("%s imports %s: %s", list.where, imported, why))
				}
			}
		}
		if slices.Contains(p.Deps, "testing") && !forTests(path) {
			complaints = append(complaints, path+" needs package testing outside its tests")
		}
	}
	slices.Sort(complaints)
	return complaints
}

// forbidden says why the package at path may not import another, or nothing.
func (w world) forbidden(path, imported string, modules []string) string {
	p := w[imported]
	switch {
	case p == nil && within(imported, module):
		return "it is not a package of the main module"
	case p == nil: // only tests are not followed by go list -deps
		if strings.Contains(strings.Split(imported, "/")[0], ".") && !slices.ContainsFunc(modules, func(m string) bool { return within(imported, m) }) {
			return "the module is not named for it"
		}
		return ""
	case p.Standard:
		return ""
	}
	if _, ours := p.path(); !ours {
		if !slices.Contains(modules, p.Module.Path) {
			return "the module " + p.Module.Path + " is not named for it"
		}
		return ""
	}
	if joins(path) {
		return ""
	}
	for _, needed := range append(slices.Clone(p.Deps), imported) {
		if n := w[needed]; n != nil {
			if why := stranger(path, n); why != "" {
				return why
			}
		}
	}
	return ""
}

// stranger says why the package at path may not need n, one of ours or not, directly or through others.
func stranger(path string, n *pkg) string {
	target, ours := n.path()
	switch {
	case !ours:
		return ""
	case target == "":
		return "the facade is the top"
	case within(target, "examples"):
		return "examples are for users"
	case room(target) != "" && room(target) != room(path):
		return "it brings in " + target + ", another room"
	}
	return ""
}

func modulesOf(path string) []string {
	for p := path; ; {
		if m, ok := outside[p]; ok {
			return m
		}
		i := strings.LastIndexByte(p, '/')
		if i < 0 {
			return nil
		}
		p = p[:i]
	}
}

// forTests tells whether a package exists to be imported by tests.
func forTests(path string) bool {
	return strings.HasSuffix(path, "test") || within(path, "internal/leakcheck") || within(path, "internal/interop") || within(path, "internal/boundary")
}

func TestCheckImportsSeesWhatIsWrong(t *testing.T) {
	ours := &struct{ Path string }{module}
	sipgo := &struct{ Path string }{"github.com/emiago/sipgo"}
	at := func(path string) string { return strings.TrimSuffix(module+"/"+path, "/") }
	base := func() world {
		return world{
			"fmt":                        {ImportPath: "fmt", Standard: true},
			"testing":                    {ImportPath: "testing", Standard: true},
			"github.com/emiago/sipgo":    {ImportPath: "github.com/emiago/sipgo", Module: sipgo},
			module:                       {ImportPath: module, Module: ours, Imports: []string{at("msrp"), at("sip")}},
			at("msrp"):                   {ImportPath: at("msrp"), Module: ours, Imports: []string{"fmt"}},
			at("msrp/cpim"):              {ImportPath: at("msrp/cpim"), Module: ours, Imports: []string{at("msrp")}},
			at("sip"):                    {ImportPath: at("sip"), Module: ours, Imports: []string{"github.com/emiago/sipgo", at("internal/shared")}},
			at("internal/shared"):        {ImportPath: at("internal/shared"), Module: ours},
			at("internal/interop/msrpx"): {ImportPath: at("internal/interop/msrpx"), Module: ours, Imports: []string{at("msrp"), at("sip")}, Deps: []string{at("msrp"), at("sip")}},
		}
	}
	assert.Empty(t, checkImports(base()))
	tests := []struct {
		name, path string
		change     func(*pkg)
		want       string
	}{
		{"room to room", "msrp", func(p *pkg) { p.Imports = []string{at("sip")} }, "another room"},
		{"subpackage to another room", "msrp/cpim", func(p *pkg) { p.Imports = []string{at("sip")} }, "another room"},
		{"test to another room", "msrp", func(p *pkg) { p.XTestImports = []string{at("sip")} }, "the test of msrp imports"},
		{"test to another room through interop", "msrp", func(p *pkg) { p.TestImports = []string{at("internal/interop/msrpx")} }, "brings in sip"},
		{"room to facade", "sip", func(p *pkg) { p.Imports = []string{module} }, "the facade is the top"},
		{"internal to a room", "internal/shared", func(p *pkg) { p.Imports = []string{at("msrp")} }, "another room"},
		{"outside module", "msrp", func(p *pkg) { p.Imports = []string{"github.com/emiago/sipgo"} }, "is not named for it"},
		{"outside module in a test", "msrp", func(p *pkg) { p.TestImports = []string{"github.com/x/y"} }, "is not named for it"},
		{"outside module in internal", "internal/shared", func(p *pkg) { p.Imports = []string{"github.com/emiago/sipgo"} }, "is not named for it"},
		{"outside module in the facade", "", func(p *pkg) { p.Imports = []string{"github.com/emiago/sipgo"} }, "is not named for it"},
		{"testing in a library", "msrp", func(p *pkg) { p.Deps = []string{"testing"} }, "needs package testing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := base()
			tt.change(w[at(tt.path)])
			if got := checkImports(w); assert.Len(t, got, 1) {
				assert.Contains(t, got[0], tt.want)
			}
		})
	}
}
