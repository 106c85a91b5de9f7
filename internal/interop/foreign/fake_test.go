package foreign

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFake(t *testing.T) {
	dir := Fake(t, "speaker", "echo said; exit 3")
	for range 2 {
		cmd := exec.Command("speaker", "-a", "b c\n", "")
		cmd.Stdin = strings.NewReader("text\n")
		out, err := cmd.Output()
		require.ErrorContains(t, err, "exit status 3")
		assert.Equal(t, "said\n", string(out))
	}
	for file, want := range map[string]string{"args": "-a\x00b c\n\x00\x00-a\x00b c\n\x00\x00", "input": "text\ntext\n"} {
		got, err := os.ReadFile(filepath.Join(dir, file))
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
	}
}
