package hop

import (
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// scripted is a listener that gives one answer after the other, and is closed then.
type scripted struct {
	net.Listener
	answers []error // nil: a connection
	asked   []time.Time
}

func (s *scripted) Accept() (net.Conn, error) {
	s.asked = append(s.asked, time.Now())
	if len(s.answers) == 0 {
		return nil, net.ErrClosed
	}
	err := s.answers[0]
	s.answers = s.answers[1:]
	if err != nil {
		return nil, err
	}
	nc, _ := net.Pipe()
	return nc, nil
}

func TestAcceptGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		served, begun := 0, time.Now()
		l := &scripted{answers: []error{nil, errors.New("too many open files"), nil, nil}}
		Accept(l, make(chan struct{}), slog.New(slog.NewTextHandler(&log, nil)), func(net.Conn) { served++ })
		assert.Equal(t, 3, served)
		assert.Contains(t, log.String(), "too many open files")
		later := begun.Add(acceptPause)
		require.Equal(t, []time.Time{begun, begun, later, later, later}, l.asked, "only behind the error there is a pause")
	})
}

func TestAcceptEndsDuringAPause(t *testing.T) {
	done := make(chan struct{})
	close(done)
	l := &scripted{answers: []error{errors.New("too many open files")}}
	synctest.Test(t, func(*testing.T) {
		Accept(l, done, slog.New(slog.DiscardHandler), nil)
	})
	assert.Len(t, l.asked, 1)
}
