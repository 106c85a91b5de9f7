package foreign

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStopEndsTheWholeGroup(t *testing.T) {
	// The child holds the pipe open, so Done comes only when it is gone as well; the shell ignores SIGTERM.
	p := Start(t, sh(`trap "" TERM; sleep 1000 & echo ready; wait; sleep 1000`))
	require.NoError(t, p.WaitFor("ready", time.Minute))
	go p.Stop()
	p.Stop()
	select {
	case <-p.Done():
	default:
		t.Fatal("Stop returned before the program had ended")
	}
}

func TestNothingIsLeftBehindByAProgramThatEnds(t *testing.T) {
	p := Start(t, sh(`sleep 1000 >/dev/null 2>&1 & echo child $!`))
	<-p.Done()
	var child int
	_, err := fmt.Sscanf(p.Output(), "child %d", &child)
	require.NoError(t, err)
	// It is dead, though perhaps not yet collected by whoever inherited it.
	require.Eventually(t, func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		return err != nil || strings.Contains(string(stat), ") Z ")
	}, 10*time.Second, 10*time.Millisecond)
}
