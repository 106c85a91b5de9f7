package command

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
)

// Children that ignore every polite signal and hold the pipes are ended with the program, when the context ends and when the program does.
func TestChildrenEnd(t *testing.T) {
	const child = `(trap "" TERM HUP INT; exec sleep 1000) & echo $! > "$1"; `
	tests := []struct {
		name, script string
		want         error
	}{
		{"with the context", child + "wait", context.Canceled},
		{"with the program", child + "exit 0", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pid")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done, program := make(chan error, 1), shell(t, tt.script, file)
			go func() {
				_, err := program.Run(ctx)
				done <- err
			}()
			var pid string
			require.Eventually(t, func() bool {
				content, err := os.ReadFile(file)
				pid = strings.TrimSpace(string(content))
				return err == nil && strings.HasSuffix(string(content), "\n")
			}, 20*time.Second, 5*time.Millisecond)
			if tt.want != nil {
				cancel()
			}
			require.ErrorIs(t, <-done, tt.want)
			require.Eventually(t, func() bool { return ended(pid) }, 20*time.Second, 5*time.Millisecond)
		})
	}
}

// There is nobody left to kill, which package os/exec knows by that error.
func TestKillNobody(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), foreign.Need(t, "true"))
	group(cmd)
	require.NoError(t, cmd.Run())
	require.Equal(t, os.ErrProcessDone, killGroup(cmd))
}

// ended tells whether a process is gone, or dead and not collected yet by whoever inherited it.
func ended(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}
