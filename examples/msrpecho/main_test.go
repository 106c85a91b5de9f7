package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	module = "github.com/otrchat/otrchat"
	echoed = "sent, reported and echoed: Hello?\nsent, reported and echoed: Is there anybody in there?\n"
)

// program builds the example and returns its path.
func program(t *testing.T) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "msrpecho")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", p, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return p
}

func TestEcho(t *testing.T) {
	p := program(t)
	out, err := exec.CommandContext(t.Context(), p).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, echoed, string(out))
}

// It can be copied into an empty module, and of ours it needs package msrp alone.
func TestCopiedIntoAnEmptyModule(t *testing.T) {
	source, err := os.ReadFile("main.go")
	require.NoError(t, err)
	f, err := parser.ParseFile(token.NewFileSet(), "main.go", source, parser.ImportsOnly)
	require.NoError(t, err)
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		require.NoError(t, err)
		if strings.Contains(strings.Split(path, "/")[0], ".") {
			require.Equal(t, module+"/msrp", path)
		}
	}

	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	sums, err := os.ReadFile("../../go.sum")
	require.NoError(t, err)
	folder := t.TempDir()
	for name, content := range map[string]string{
		"main.go": string(source), "go.sum": string(sums),
		"go.mod": fmt.Sprintf("module example.com/echo\n\ngo 1.25.0\n\nrequire %s v0.0.0\n\nreplace %[1]s => %[2]q\n", module, root),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600))
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", ".")
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, echoed, string(out))
}
