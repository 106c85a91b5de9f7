package boundary

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/otrchat/otrchat"

// pkg is what the go command says about a package.
type pkg struct {
	ImportPath, Name, Dir, Export      string
	Standard                           bool
	Module                             *struct{ Path string }
	GoFiles, TestGoFiles, XTestGoFiles []string
	Imports, Deps                      []string
	TestImports, XTestImports          []string
}

// path is the path below our module: "" for the facade, "msrp/cpim"; ours is false for a package that is not ours.
func (p *pkg) path() (path string, ours bool) {
	if p.Module == nil || p.Module.Path != module {
		return "", false
	}
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/"), true
}

// world is every package of the main module and all that they need, by import path.
type world map[string]*pkg

// ours lists our packages by path.
func (w world) ours() map[string]*pkg {
	ours := make(map[string]*pkg)
	for _, p := range w {
		if path, ok := p.path(); ok {
			ours[path] = p
		}
	}
	return ours
}

var load = sync.OnceValues(func() (world, error) {
	cmd := exec.Command("go", "list", "-deps", "-export", "-json", "./...")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	return decode(strings.NewReader(string(out)))
})

func decode(r io.Reader) (world, error) {
	w := make(world)
	for dec := json.NewDecoder(r); ; {
		var p pkg
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return w, nil
		case err != nil:
			return nil, err
		}
		w[p.ImportPath] = &p
	}
}

func loaded(t *testing.T) world {
	t.Helper()
	w, err := load()
	require.NoError(t, err, "go list")
	return w
}

// parse reads the named files of p with their comments.
func (p *pkg) parse(t *testing.T, names []string) (*token.FileSet, []*ast.File) {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, f)
	}
	return fset, files
}

// within tells whether path is root or lies below it.
func within(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }
