package main

import (
	"bufio"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/otrchat/otrchat"

// program builds the example and returns its path.
func program(t *testing.T) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "msrpecho")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", p, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return p
}

func TestBothSides(t *testing.T) {
	p := program(t)
	out, err := exec.CommandContext(t.Context(), p).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "sent, reported and echoed: Hello?\nsent, reported and echoed: Is there anybody in there?\n", string(out))
	out, err = exec.CommandContext(t.Context(), p, "-role", "none").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "no such role")
}

// side is one of two programs whose paths are handed over by hand.
type side struct {
	*exec.Cmd
	in  io.Writer
	out *bufio.Reader
}

func start(t *testing.T, program string, args ...string) (s side, path string) {
	t.Helper()
	s.Cmd = exec.CommandContext(t.Context(), program, args...)
	s.Stderr = os.Stderr
	in, err := s.StdinPipe()
	require.NoError(t, err)
	out, err := s.StdoutPipe()
	require.NoError(t, err)
	s.in, s.out = in, bufio.NewReader(out)
	require.NoError(t, s.Start())
	line, err := s.out.ReadString('\n')
	require.NoError(t, err)
	path, ok := strings.CutPrefix(line, "My path is ")
	require.True(t, ok, line)
	return s, strings.TrimSpace(path)
}

func TestTwoPrograms(t *testing.T) {
	p := program(t)
	server, serverPath := start(t, p, "-role", "passive")
	client, clientPath := start(t, p, "-role", "active", "one", "two")
	fmt.Fprintln(client.in, serverPath)
	fmt.Fprintln(server.in, clientPath)
	said, err := io.ReadAll(client.out)
	require.NoError(t, err)
	require.Contains(t, string(said), "echoed: one\n")
	require.Contains(t, string(said), "echoed: two\n")
	_, err = io.Copy(io.Discard, server.out)
	require.NoError(t, err)
	require.NoError(t, client.Wait())
	require.NoError(t, server.Wait())
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
	cmd := exec.CommandContext(t.Context(), "go", "run", ".", "copied")
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "sent, reported and echoed: copied\n", string(out))
}
