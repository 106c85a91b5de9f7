package foreign

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMemoryIsThatOfTheWholeGroup(t *testing.T) {
	Need(t, "sh")
	cmd := sh(`echo alone; read line; (y=$(head -c 8000000 /dev/zero | tr "\0" y); echo together; read line); exit`)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	p := Start(t, cmd)
	require.NoError(t, p.WaitFor("alone", time.Minute))
	alone, err := p.Memory()
	require.NoError(t, err)
	assert.Positive(t, alone)
	_, err = io.WriteString(in, "go\n")
	require.NoError(t, err)
	require.NoError(t, p.WaitFor("together", time.Minute))
	together, err := p.Memory()
	require.NoError(t, err)
	assert.Greater(t, together, alone+8_000_000)
	p.Stop()
	_, err = p.Memory()
	require.ErrorContains(t, err, "has ended")
}
