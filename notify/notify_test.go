package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/notify"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

var changed = notify.Notification{
	Kind: notify.FingerprintChanged, Urgency: notify.Critical, Contact: "bob@example.org",
	Title: "Bob has a new key", Body: "Verify it again.", Time: time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC),
}

func TestNames(t *testing.T) {
	assert.Equal(t, "normal", notify.Notification{}.Urgency.String())
	assert.Equal(t, "unknown(99)", notify.Urgency(99).String())
	assert.Less(t, notify.Low, notify.Normal)
	assert.Less(t, notify.Normal, notify.Critical)
}

func TestTopic(t *testing.T) {
	assert.Regexp(t, `^[0-9a-f]{32}$`, changed.Topic())
	same := notify.Notification{Kind: changed.Kind, Contact: changed.Contact}
	assert.Equal(t, changed.Topic(), same.Topic())
	for _, other := range []notify.Notification{
		{Kind: changed.Kind, Contact: "alice@example.org"}, {Kind: notify.EncryptionEnded, Contact: changed.Contact}, {Kind: 99, Contact: changed.Contact},
	} {
		assert.NotEqual(t, changed.Topic(), other.Topic())
		assert.NotEmpty(t, other.Topic())
	}
	assert.Empty(t, notify.Notification{Kind: changed.Kind}.Topic())
	assert.Empty(t, notify.Notification{Contact: changed.Contact}.Topic())
}

// recorder keeps what it is notified of.
type recorder struct {
	mu  sync.Mutex
	all []notify.Notification
}

func (r *recorder) Notify(_ context.Context, n notify.Notification) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, n)
	return nil
}

// One that fails, one that panics and one that hangs stop no other.
func TestMulti(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first, last recorder
		failed := errors.New("no daemon")
		ns := []notify.Notifier{
			&first,
			notify.Func(func(context.Context, notify.Notification) error { return failed }),
			notify.Func(func(context.Context, notify.Notification) error { panic("with a secret") }),
			notify.Func(func(context.Context, notify.Notification) error { panic(failed) }),
			notify.Func(func(ctx context.Context, _ notify.Notification) error { <-ctx.Done(); return ctx.Err() }),
			nil,
			&last,
		}
		multi := notify.Multi(ns...)
		clear(ns) // Multi keeps its own list

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		done := make(chan error)
		go func() { done <- multi.Notify(ctx, changed) }()
		synctest.Wait() // everybody but the one that hangs is done
		assert.Equal(t, []notify.Notification{changed}, first.all)
		assert.Equal(t, []notify.Notification{changed}, last.all)

		err := <-done
		require.ErrorIs(t, err, failed)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var panicked *notify.PanicError
		require.ErrorAs(t, err, &panicked)
		assert.Equal(t, "with a secret", panicked.Value)
		assert.Equal(t, strings.Join([]string{
			"notify: notifier 1: no daemon",
			"notify: notifier 2: panic with a string",
			"notify: notifier 3: panic with a *errors.errorString",
			"notify: notifier 4: context deadline exceeded",
		}, "\n"), err.Error())
	})
}

func TestMultiOfNone(t *testing.T) {
	require.NoError(t, notify.Multi().Notify(t.Context(), changed))
	require.NoError(t, notify.Multi(nil, nil).Notify(t.Context(), changed))
}

func TestMultiFromManyGoroutines(t *testing.T) {
	var r recorder
	multi := notify.Multi(&r, notify.Multi(&r, notify.Slog(nil)))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { assert.NoError(t, multi.Notify(t.Context(), changed)) })
	}
	wg.Wait()
	assert.Len(t, r.all, 100)
}

// Text from a peer cannot begin a log line of its own, nor an attribute.
func TestSlogHostileText(t *testing.T) {
	for _, hostile := range []string{
		"x\ntime=2026-11-23T08:30:00Z level=INFO msg=\"all is well\"",
		"x\r\nlevel=INFO", "\" level=INFO msg=\"", "a=b c=d", "{\"level\":\"INFO\"}", "\x1b[2J\x00", "\u2028\u202e", "\xff\xfe", "",
		strings.Repeat("ä", 1<<19),
	} {
		n := notify.Notification{Kind: notify.EncryptionEnded, Urgency: notify.Low, Contact: hostile, Title: hostile, Body: hostile}
		t.Run(fmt.Sprintf("%.20q", hostile), func(t *testing.T) {
			var text bytes.Buffer
			require.NoError(t, notify.Slog(slog.New(slog.NewTextHandler(&text, nil))).Notify(t.Context(), n))
			assert.Equal(t, 1, strings.Count(text.String(), "\n"))
			assert.True(t, strings.HasSuffix(text.String(), "\n"))
			assert.NotContains(t, strings.TrimSuffix(text.String(), "\n"), "\r")
			assert.NotContains(t, text.String(), "\x1b")
			assert.Contains(t, text.String(), " level=INFO msg=notification kind=\"encryption ended\" contact=")
			assert.True(t, utf8.ValidString(text.String()))
			assert.Less(t, text.Len(), 16<<10)
			if strings.HasPrefix(hostile, "ää") {
				assert.Contains(t, text.String(), "title="+strings.Repeat("ä", 510)+"… body=", "1,024 bytes")
			}

			var lines bytes.Buffer
			require.NoError(t, notify.Slog(slog.New(slog.NewJSONHandler(&lines, nil))).Notify(t.Context(), n))
			assert.Equal(t, 1, strings.Count(lines.String(), "\n"))
			var record map[string]any
			require.NoError(t, json.Unmarshal(lines.Bytes(), &record))
			assert.Equal(t, "INFO", record["level"])
			assert.Equal(t, "notification", record["msg"])
			if utf8.ValidString(hostile) && len(hostile) < 1000 {
				assert.Equal(t, hostile, record["title"], "nothing is lost")
			}
		})
	}
}

// A log keeps no message, whatever texts it was put into.
func TestSlogKeepsNoMessages(t *testing.T) {
	n := notify.Catalogue{notify.MessageReceived: {Title: "{text}", Body: "{text}", Spoken: "{text}"}}.Fill(notify.Notification{
		Kind: notify.MessageReceived, Contact: "bob@example.org", DisplayName: "Bob", Text: "meet me at nine",
	})
	require.Equal(t, "meet me at nine", n.Title)
	var out bytes.Buffer
	require.NoError(t, notify.Slog(slog.New(slog.NewTextHandler(&out, nil))).Notify(t.Context(), n))
	assert.Contains(t, out.String(), `kind="message received" contact=bob@example.org at=`)
	assert.NotContains(t, out.String(), "nine")
}

func TestSlogLevels(t *testing.T) {
	for urgency, want := range map[notify.Urgency]string{notify.Low: "INFO", notify.Normal: "WARN", notify.Critical: "ERROR", 7: "ERROR", -7: "INFO"} {
		var out bytes.Buffer
		require.NoError(t, notify.Slog(slog.New(slog.NewTextHandler(&out, nil))).Notify(t.Context(), notify.Notification{Urgency: urgency}))
		assert.Contains(t, out.String(), "level="+want+" ")
	}
}
