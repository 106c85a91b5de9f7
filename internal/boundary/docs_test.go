package boundary

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var chapters = []string{"# Concurrency", "# Limits", "# Security"}

func TestEveryPackageIsDocumented(t *testing.T) {
	for path, p := range loaded(t).ours() {
		if p.Name == "main" || len(p.GoFiles) == 0 {
			continue
		}
		t.Run(title(path), func(t *testing.T) {
			fset, files := p.parse(t, p.GoFiles)
			for _, complaint := range checkDocs(fset, files) {
				t.Error(complaint)
			}
			if path != "internal/boundary" && !strings.HasPrefix(path, "internal/interop/") { // these need a testing.TB
				_, tests := p.parse(t, append(slices.Clone(p.TestGoFiles), p.XTestGoFiles...))
				assert.True(t, hasCheckedExample(tests), "no Example with an Output comment")
			}
		})
	}
}

func title(path string) string {
	if path == "" {
		return "facade"
	}
	return path
}

func hasCheckedExample(tests []*ast.File) bool {
	return slices.ContainsFunc(doc.Examples(tests...), func(e *doc.Example) bool { return e.Output != "" || e.EmptyOutput })
}

func checkDocs(fset *token.FileSet, files []*ast.File) (complaints []string) {
	var text string
	for _, f := range files {
		if filepath.Base(fset.Position(f.Package).Filename) == "doc.go" {
			text = f.Doc.Text()
		}
		for _, decl := range f.Decls {
			complaints = append(complaints, undocumented(fset, decl)...)
		}
	}
	for _, chapter := range chapters {
		if !strings.Contains(text, "\n"+chapter+"\n") {
			complaints = append(complaints, "doc.go has no chapter "+chapter)
		}
	}
	return complaints
}

// undocumented lists the exported functions, methods, types, constants and variables of decl without a comment.
func undocumented(fset *token.FileSet, decl ast.Decl) (complaints []string) {
	check := func(name *ast.Ident, docs ...*ast.CommentGroup) {
		has := slices.ContainsFunc(docs, func(g *ast.CommentGroup) bool { return g.Text() != "" })
		if name.IsExported() && !has {
			complaints = append(complaints, fmt.Sprintf("%s: %s has no comment", fset.Position(name.Pos()), name.Name))
		}
	}
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil || receiverExported(d.Recv.List[0].Type) {
			check(d.Name, d.Doc)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				check(s.Name, d.Doc, s.Doc, s.Comment)
			case *ast.ValueSpec:
				for _, name := range s.Names {
					check(name, d.Doc, s.Doc, s.Comment)
				}
			}
		}
	}
	return complaints
}

func receiverExported(t ast.Expr) bool {
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

func TestCheckDocsSeesWhatIsWrong(t *testing.T) {
	const good = "// Package x is an example.\n//\n// # Concurrency\n//\n// None.\n//\n// # Limits\n//\n// None.\n//\n// # Security\n//\n// None.\npackage x\n"
	tests := []struct{ name, file, source, want string }{
		{"all well", "doc.go", good, ""},
		{"chapter missing", "doc.go", strings.Replace(good, "# Limits", "Limits", 1), "no chapter # Limits"},
		{"not in doc.go", "x.go", good, "no chapter"},
		{"function", "doc.go", good + "func F() {}", "F has no comment"},
		{"unexported function", "doc.go", good + "func f() {}", ""},
		{"method", "doc.go", good + "// T is.\ntype T int\nfunc (*T) M() {}", "M has no comment"},
		{"method of an unexported type", "doc.go", good + "type t[K any] int\nfunc (*t[K]) M() {}", ""},
		{"type", "doc.go", good + "type T int", "T has no comment"},
		{"group", "doc.go", good + "// The values.\nconst (\n\tA = 1\n\tB = 2\n)", ""},
		{"line comment", "doc.go", good + "const (\n\tA = 1 // one\n\tB = 2\n)", "B has no comment"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, tt.file, tt.source, parser.ParseComments)
			require.NoError(t, err)
			got := checkDocs(fset, []*ast.File{f})
			if tt.want == "" {
				assert.Empty(t, got)
			} else if assert.NotEmpty(t, got) {
				assert.Contains(t, got[0], tt.want)
			}
		})
	}
}

func TestHasCheckedExample(t *testing.T) {
	for source, want := range map[string]bool{
		"package x\nfunc Example() {\n\t// Output: y\n}\n": true,
		"package x\nfunc Example() {}\n":                   false,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x_test.go", source, parser.ParseComments)
		require.NoError(t, err)
		assert.Equal(t, want, hasCheckedExample([]*ast.File{f}))
	}
}
