package msrp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Sessions come and go at any moment, on connections of their own and on shared ones, and one side may be early, late or absent. Whatever happens, every call returns,
// a session that is connected on both sides carries messages, and nothing is kept of those that have ended.
func TestComingAndGoing(t *testing.T) {
	for _, share := range []bool{false, true} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		e, err := New(&Options{ShareConnections: share})
		require.NoError(t, err)
		require.NoError(t, e.Serve(l))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 25 {
					if err := comeAndGo(e); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		e.mu.Lock()
		require.Empty(t, e.sessions)
		e.mu.Unlock()
		require.NoError(t, e.Close())
		require.Empty(t, e.conns)
		require.Empty(t, e.links)
		require.Zero(t, e.unbound.Load())
	}
}

// comeAndGo connects a pair of sessions that may give up; an error is a broken promise.
func comeAndGo(e *Endpoint) error {
	a, err := e.NewSession(nil)
	if err != nil {
		return err
	}
	p, err := e.NewSession(nil)
	if err != nil {
		return err
	}
	defer a.Close()
	defer p.Close()
	soon, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	bound := make(chan error, 1)
	early := rand.N(3) == 0
	passive := func() { bound <- p.Connect(soon, a.LocalPath(), Passive, nil) }
	if !early {
		go passive()
	} else {
		time.AfterFunc(rand.N(2*time.Millisecond), passive)
	}
	quit := rand.N(4)
	switch quit {
	case 0:
		time.AfterFunc(rand.N(2*time.Millisecond), func() { a.Close() })
	case 1:
		time.AfterFunc(rand.N(2*time.Millisecond), func() { p.Close() })
	}
	activeErr := a.Connect(soon, p.LocalPath(), Active, nil)
	if activeErr != nil {
		p.Close()
	}
	passiveErr := <-bound
	if quit < 2 {
		return nil
	}
	if e.o.ShareConnections && errors.Is(activeErr, syscall.ECONNRESET) {
		return nil // three connections in a row ended with their last sessions, as Connect says
	}
	if activeErr != nil {
		return fmt.Errorf("active: %w", activeErr)
	}
	if passiveErr != nil {
		return fmt.Errorf("passive: %w", passiveErr)
	}
	d, err := a.Send(ctx, text("hello"))
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if err := d.Wait(ctx); err != nil {
		return fmt.Errorf("delivery: %w", err)
	}
	if quit == 2 {
		return a.Shutdown(ctx)
	}
	return p.Shutdown(ctx)
}
