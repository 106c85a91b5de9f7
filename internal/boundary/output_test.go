package boundary

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// loud is what a library must not touch: the terminal, the process-wide loggers, and the end of the process.
// The import path maps to the names that are not for us.
var loud = map[string]*regexp.Regexp{
	"fmt":      regexp.MustCompile(`^(Print|Println|Printf|Scan.*)$`),
	"os":       regexp.MustCompile(`^(Stdout|Stderr|Stdin|Exit)$`),
	"log":      regexp.MustCompile(`.`),
	"log/slog": regexp.MustCompile(`^(Default|SetDefault|SetLogLoggerLevel|With|Log|LogAttrs|(Debug|Info|Warn|Error)(Context)?)$`),
}

// terminal names our packages whose very purpose is standard output.
var terminal = []string{"examples", "internal/interop", "internal/leakcheck", "internal/quiet"}

func TestLibrariesAreQuiet(t *testing.T) {
	for path, p := range loaded(t).ours() {
		exempt := false
		for _, root := range terminal {
			exempt = exempt || within(path, root)
		}
		if exempt {
			continue
		}
		fset, files := p.parse(t, p.GoFiles)
		for _, f := range files {
			for _, complaint := range checkQuiet(fset, f) {
				t.Error(complaint)
			}
		}
	}
}

func checkQuiet(fset *token.FileSet, f *ast.File) (complaints []string) {
	names := make(map[string]*regexp.Regexp)
	for _, spec := range f.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		name := path[strings.LastIndexByte(path, '/')+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if loud[path] != nil {
			names[name] = loud[path]
		}
	}
	complain := func(n ast.Node, what string) {
		complaints = append(complaints, fmt.Sprintf("%s: a library does not use %s", fset.Position(n.Pos()), what))
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && names[x.Name] != nil && names[x.Name].MatchString(n.Sel.Name) {
				complain(n, x.Name+"."+n.Sel.Name)
			}
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "print" || id.Name == "println") {
				complain(n, id.Name)
			}
		}
		return true
	})
	return complaints
}

func TestCheckQuietSeesWhatIsWrong(t *testing.T) {
	tests := []struct{ imports, code, want string }{
		{`"fmt"`, `fmt.Println("x")`, "fmt.Println"},
		{`"fmt"`, `_ = fmt.Sprintf("x")`, ""},
		{`f "fmt"`, `f.Printf("x")`, "f.Printf"},
		{`"os"`, `_, _ = os.Stdout.WriteString("x")`, "os.Stdout"},
		{`"os"`, `os.Exit(1)`, "os.Exit"},
		{`"log"`, `_ = log.New`, "log.New"},
		{`"log/slog"`, `slog.Info("x")`, "slog.Info"},
		{`"log/slog"`, `slog.ErrorContext(nil, "x")`, "slog.ErrorContext"},
		{`"log/slog"`, `_ = slog.New(slog.DiscardHandler)`, ""},
		{`"io"`, `println("x")`, "println"},
	}
	for _, tt := range tests {
		t.Run(tt.code, func(t *testing.T) {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, "x.go", "package x\nimport "+tt.imports+"\nfunc f() { "+tt.code+" }\n", 0)
			require.NoError(t, err)
			got := checkQuiet(fset, f)
			if tt.want == "" {
				assert.Empty(t, got)
			} else if assert.Len(t, got, 1) {
				assert.Contains(t, got[0], tt.want)
			}
		})
	}
}
