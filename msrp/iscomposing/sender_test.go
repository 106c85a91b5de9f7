package iscomposing_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp/iscomposing"
)

// sent is a document and when it left.
type sent struct {
	at  time.Duration
	doc iscomposing.Document
}

// script runs in a bubble while a goroutine fetches and "sends" every document, which takes transit. It returns what was sent.
func script(t *testing.T, o *iscomposing.SenderOptions, transit time.Duration, run func(s *iscomposing.Sender, at func(time.Duration))) (got []sent) {
	synctest.Test(t, func(t *testing.T) {
		s, err := iscomposing.NewSender(o)
		require.NoError(t, err)
		fetch(t, s.Next, func(at time.Duration, doc *iscomposing.Document) {
			got = append(got, sent{at, *doc})
			time.Sleep(transit)
		}, func(at func(time.Duration)) { run(s, at) })
	})
	return got
}

// fetch hands what next returns, and when, to take on a goroutine of its own while run runs. Times count from now; at, in a bubble, sleeps until one.
func fetch[T any](t *testing.T, next func(context.Context) (T, error), take func(time.Duration, T), run func(at func(time.Duration))) {
	start := time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			x, err := next(ctx)
			if err != nil {
				return
			}
			take(time.Since(start), x)
		}
	}()
	run(func(d time.Duration) {
		time.Sleep(d - time.Since(start))
		synctest.Wait()
	})
	cancel()
	<-done
}

const second = time.Second

var (
	idle     = iscomposing.Document{}
	active   = iscomposing.Document{Active: true, Refresh: 120 * second}
	active60 = iscomposing.Document{Active: true, Refresh: 60 * second}
)

func TestRFC3994_3_2_ActiveThenIdleAfter15Seconds(t *testing.T) {
	got := script(t, nil, 0, func(s *iscomposing.Sender, at func(time.Duration)) {
		at(1 * second)
		s.Composing()
		at(11 * second)
		s.Composing()
		at(100 * second)
	})
	assert.Equal(t, []sent{{1 * second, active}, {26 * second, idle}}, got)
}

func TestRFC3994_3_2_ActiveAgainAfterIdle(t *testing.T) {
	got := script(t, nil, 0, func(s *iscomposing.Sender, at func(time.Duration)) {
		s.Composing()
		at(20 * second)
		s.Composing()
		at(100 * second)
	})
	assert.Equal(t, []sent{{0, active}, {15 * second, idle}, {20 * second, active}, {35 * second, idle}}, got)
}

func TestRFC3994_3_2_ContentMessageNeedsNoIdle(t *testing.T) {
	got := script(t, nil, 0, func(s *iscomposing.Sender, at func(time.Duration)) {
		s.Composing()
		at(14 * second)
		s.ContentSent()
		at(100 * second)
		s.Composing()
		at(101 * second)
	})
	assert.Equal(t, []sent{{0, active}, {100 * second, active}}, got)
}

// The refresh leaves 5 s before the receiver's timer ends, and the announced interval begins anew with each document.
func TestRFC3994_3_2_RefreshWhileActive(t *testing.T) {
	type stroke = func(s *iscomposing.Sender, at func(time.Duration))
	typing := func(until time.Duration) stroke {
		return func(s *iscomposing.Sender, at func(time.Duration)) {
			for now := time.Duration(0); now <= until; now += 10 * second {
				at(now)
				s.Composing()
			}
			at(until + 100*second)
		}
	}
	none := iscomposing.Document{Active: true}
	for _, c := range []struct {
		name string
		o    iscomposing.SenderOptions
		run  stroke
		want []sent
	}{
		{"default", iscomposing.SenderOptions{}, typing(240 * second),
			[]sent{{0, active}, {115 * second, active}, {230 * second, active}, {255 * second, idle}}},
		{"a minute", iscomposing.SenderOptions{Refresh: 60 * second}, typing(100 * second),
			[]sent{{0, active60}, {55 * second, active60}, {110 * second, active60}, {115 * second, idle}}},
		{"never", iscomposing.SenderOptions{Refresh: -1}, typing(500 * second), []sent{{0, none}, {515 * second, idle}}},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, script(t, &c.o, 0, c.run)) })
	}
}

// As Blink does it: idle after 5 s, refresh announced after 60 s.
func TestSenderLikeBlink(t *testing.T) {
	o := &iscomposing.SenderOptions{IdleTimeout: 5 * second, Refresh: 60 * second, ContentType: "text/plain"}
	got := script(t, o, 0, func(s *iscomposing.Sender, at func(time.Duration)) {
		s.Composing()
		at(100 * second)
	})
	assert.Equal(t, []sent{
		{0, iscomposing.Document{Active: true, Refresh: 60 * second, ContentType: "text/plain"}},
		{5 * second, iscomposing.Document{ContentType: "text/plain"}},
	}, got)
}

func TestRFC3994_3_2_NothingWhileIdle(t *testing.T) {
	got := script(t, nil, 0, func(s *iscomposing.Sender, at func(time.Duration)) {
		at(1000 * second)
		s.ContentSent()
		at(2000 * second)
	})
	assert.Empty(t, got)
}

// While a document is on its way to the wire, a message may overtake it or not. What the peer believes after that is not known,
// so it is told once more.
func TestContentSentWhileADocumentIsOut(t *testing.T) {
	t.Run("then idle", func(t *testing.T) {
		got := script(t, nil, 3*second, func(s *iscomposing.Sender, at func(time.Duration)) {
			s.Composing()
			at(2 * second)
			s.ContentSent()
			at(100 * second)
		})
		assert.Equal(t, []sent{{0, active}, {3 * second, idle}}, got)
	})
	t.Run("then composing", func(t *testing.T) {
		got := script(t, nil, 3*second, func(s *iscomposing.Sender, at func(time.Duration)) {
			s.Composing()
			at(1 * second)
			s.ContentSent()
			at(2 * second)
			s.Composing()
			at(100 * second)
		})
		assert.Equal(t, []sent{{0, active}, {3 * second, active}, {17 * second, idle}}, got)
	})
	t.Run("sent twice", func(t *testing.T) {
		got := script(t, nil, 3*second, func(s *iscomposing.Sender, at func(time.Duration)) {
			s.Composing()
			at(1 * second)
			s.ContentSent()
			at(10 * second)
			s.ContentSent()
			at(100 * second)
		})
		assert.Equal(t, []sent{{0, active}, {3 * second, idle}}, got)
	})
}

// While nobody fetches, what has passed is forgotten.
func TestSenderMergesWhatIsNotFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := iscomposing.NewSender(nil)
		require.NoError(t, err)
		s.Composing()
		time.Sleep(20 * second)
		ctx, cancel := context.WithTimeout(t.Context(), 100*second)
		defer cancel()
		_, err = s.Next(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		for range 1000 {
			s.Composing()
			time.Sleep(second)
		}
		doc, err := s.Next(t.Context())
		require.NoError(t, err)
		assert.Equal(t, &active, doc)
		doc, err = s.Next(t.Context())
		require.NoError(t, err)
		assert.Equal(t, &idle, doc)
	})
}

// A context that has ended costs nothing: the document is still there.
func TestNextGivenUp(t *testing.T) {
	s, err := iscomposing.NewSender(nil)
	require.NoError(t, err)
	s.Composing()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Next(ended)
	require.ErrorIs(t, err, context.Canceled)
	doc, err := s.Next(t.Context())
	require.NoError(t, err)
	assert.True(t, doc.Active)
}

func TestNewSenderRefuses(t *testing.T) {
	for _, c := range []struct {
		field string
		o     iscomposing.SenderOptions
	}{
		{"IdleTimeout", iscomposing.SenderOptions{IdleTimeout: second - 1}},
		{"IdleTimeout", iscomposing.SenderOptions{IdleTimeout: -1}},
		{"Refresh", iscomposing.SenderOptions{Refresh: iscomposing.MinRefresh - 1}},
		{"Refresh", iscomposing.SenderOptions{Refresh: 90*second + 1}},
		{"Refresh", iscomposing.SenderOptions{Refresh: iscomposing.MaxRefresh + second}},
		{"ContentType", iscomposing.SenderOptions{ContentType: "text/plain\n"}},
	} {
		t.Run(c.field, func(t *testing.T) {
			s, err := iscomposing.NewSender(&c.o)
			var field *iscomposing.FieldError
			require.ErrorAs(t, err, &field)
			assert.Equal(t, c.field, field.Field)
			assert.Nil(t, s)
		})
	}
}
