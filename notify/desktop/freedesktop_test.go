package desktop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/notify"
)

func TestNotify(t *testing.T) {
	f := newFakeBus()
	n := f.notifier(t, Options{AppName: "Käse", AppID: "org.example.Chat", Icon: "/usr/share/icons/a b.png", Expire: 5 * time.Second})
	require.NoError(t, n.Notify(t.Context(), changed))
	assert.Equal(t, []shownCall{{
		to: ":1.7", app: "Käse", icon: "file:///usr/share/icons/a%20b.png",
		title: "Encryption warning: new key of bob@example.org", body: "bob@example.org has a new key.\nVerify it again.", actions: []string{},
		hints: map[string]dbus.Variant{
			"urgency": dbus.MakeVariant(byte(2)), "category": dbus.MakeVariant("im.error"), "desktop-entry": dbus.MakeVariant("org.example.Chat"),
		},
	}}, f.calls())
	name, err := n.Name(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "fake 7 (freedesktop.org notifications 1.2)", name)
	assert.Equal(t, 1, f.dials, "the connection is kept")
}

func TestCategory(t *testing.T) {
	for kind, want := range map[notify.Kind]string{
		notify.MessageReceived: "im.received", notify.RevokedKeyUsed: "im.error", notify.EncryptionEnded: "im", notify.Other: "im",
	} {
		assert.Equal(t, want, category(notify.Notification{Kind: kind, Urgency: kind.Urgency()}))
	}
}

func TestUrgency(t *testing.T) {
	f := newFakeBus()
	n, expiring := f.notifier(t, Options{}), f.notifier(t, Options{Expire: time.Second, Icon: "mail-unread"})
	for _, c := range []struct {
		urgency              notify.Urgency
		level                byte
		expire, expireWithin int32
	}{{-7, 0, -1, 1000}, {notify.Low, 0, -1, 1000}, {notify.Normal, 1, -1, 1000}, {notify.Critical, 2, 0, 0}, {7, 2, 0, 0}} {
		f.set(func() { f.shown = nil })
		require.NoError(t, n.Notify(t.Context(), notify.Notification{Urgency: c.urgency}))
		require.NoError(t, expiring.Notify(t.Context(), notify.Notification{Urgency: c.urgency}))
		calls := f.calls()
		assert.Equal(t, c.level, calls[0].hints["urgency"].Value())
		assert.Equal(t, c.expire, calls[0].expire)
		assert.Equal(t, c.expireWithin, calls[1].expire)
		assert.Equal(t, "mail-unread", calls[1].icon)
		assert.NotContains(t, calls[0].hints, "desktop-entry")
		assert.Equal(t, "Chat", calls[0].title, "a title must not be empty")
	}
}

// hostile are texts that a peer may have chosen, and what is shown of them by a service without and with markup.
var hostile = []struct{ text, title, plain, markup string }{
	{"<b>bold</b> &amp; <img src='http://x/'/>", "<b>bold</b> &amp; <img src='http://x/'/>", "<b>bold</b> &amp; <img src='http://x/'/>",
		"&lt;b&gt;bold&lt;/b&gt; &amp;amp; &lt;img src='http://x/'/&gt;"},
	{"a\nb\x1b[2J\x00\u202ec\xff", "a b[2Jc\uFFFD", "a\nb[2Jc\uFFFD", "a\nb[2Jc\uFFFD"},
	{"--help", "--help", "--help", "--help"},
	{"'; $(echo x) `echo x` \" \\ %s", "'; $(echo x) `echo x` \" \\ %s", "'; $(echo x) `echo x` \" \\ %s", "'; $(echo x) `echo x` \" \\ %s"},
	{strings.Repeat("<", 1<<20), strings.Repeat("<", 256-3) + "…", strings.Repeat("<", 1024-3) + "…", strings.Repeat("&lt;", 1024-3) + "…"},
}

func TestHostileText(t *testing.T) {
	for i, h := range hostile {
		t.Run(fmt.Sprint("text ", i), func(t *testing.T) {
			for _, capabilities := range [][]string{{"body", "body-markup"}, {"body"}, {}} {
				f := newFakeBus()
				f.capabilities = capabilities
				n := f.notifier(t, Options{})
				require.NoError(t, n.Notify(t.Context(), notify.Notification{Contact: h.text, Title: h.text, Body: h.text}))
				got := f.calls()[0]
				assert.Equal(t, h.title, got.title)
				if len(capabilities) == 2 {
					assert.Equal(t, h.markup, got.body)
				} else {
					assert.Equal(t, h.plain, got.body)
				}
			}
		})
	}
}

// A notification takes the place of the last of its kind and contact, and of no other.
func TestReplaces(t *testing.T) {
	f := newFakeBus()
	n := f.notifier(t, Options{})
	ended, carol, nobody, other := changed, changed, changed, changed
	ended.Kind, carol.Contact, nobody.Contact, other.Kind = notify.EncryptionEnded, "carol@example.org", "", notify.Other
	send := func(all ...notify.Notification) (replaced []uint32) {
		before := len(f.calls())
		for _, each := range all {
			require.NoError(t, n.Notify(t.Context(), each))
		}
		for _, c := range f.calls()[before:] {
			replaced = append(replaced, c.replaces)
		}
		return replaced
	}
	assert.Equal(t, []uint32{0, 0, 0, 0, 0}, send(changed, ended, carol, nobody, other))
	assert.Equal(t, []uint32{101, 102, 103, 0, 0, 101}, send(changed, ended, carol, nobody, other, changed))

	f.set(func() { f.owner = ":1.8" })
	assert.Equal(t, []uint32{0, 112}, send(changed, changed), "another service has other numbers")
	f.hangUp()
	assert.Equal(t, []uint32{0, 114}, send(changed, changed), "another connection may be to another bus, with the same names")
	assert.Equal(t, 2, f.dials)
}

func TestOnlySoManyAreReplaced(t *testing.T) {
	var s shown
	for i := range maxShown + 10 {
		s.add(fmt.Sprint(i), uint32(i+1))
	}
	require.Len(t, s, 256)
	assert.Zero(t, s.id("9"))
	assert.Equal(t, uint32(11), s.id("10"))
	s.add("10", 11)
	s.add("1000", 1000)
	assert.Equal(t, uint32(11), s.id("10"), "what was replaced lately is kept")
	assert.Zero(t, s.id("11"))
	assert.Len(t, s, maxShown)
}

func TestUnavailable(t *testing.T) {
	for method, name := range map[string]string{
		"GetCapabilities": "org.freedesktop.DBus.Error.ServiceUnknown", "GetNameOwner": "org.freedesktop.DBus.Error.NameHasNoOwner",
		"GetServerInformation": "org.freedesktop.DBus.Error.Spawn.ChildExited",
	} {
		f := newFakeBus()
		f.refuse[method] = name
		n := f.notifier(t, Options{})
		err := n.Notify(t.Context(), changed)
		if method == "GetServerInformation" {
			require.NoError(t, err)
			_, err = n.Name(t.Context())
		}
		require.ErrorIs(t, err, ErrUnavailable)
		assert.Equal(t, "desktop: unavailable: no org.freedesktop.Notifications on the session bus ("+strings.TrimPrefix(name, "org.freedesktop.DBus.Error.")+")", err.Error())
		f.set(func() { clear(f.refuse) })
		require.NoError(t, n.Notify(t.Context(), changed))
		assert.Equal(t, 1, f.dials, "the connection is as good as before")
	}
}

// Not every refusal says that there is no service.
func TestRefusedByAService(t *testing.T) {
	for name, absent := range map[string]bool{"org.freedesktop.DBus.Error.NoReply": true, "org.freedesktop.DBus.Error.AccessDenied": false} {
		for _, method := range []string{"GetCapabilities", "GetNameOwner", "GetServerInformation"} {
			f := newFakeBus()
			f.refuse[method] = name
			n := f.notifier(t, Options{})
			use := func() error { return n.Notify(t.Context(), changed) }
			if method == "GetServerInformation" {
				use = func() error { _, err := n.Name(t.Context()); return err }
			}
			err := use()
			assert.Equal(t, absent, errors.Is(err, ErrUnavailable), "%s %s: %v", method, name, err)
			var refused *Error
			assert.Equal(t, !absent, errors.As(err, &refused), "%s %s: %v", method, name, err)
		}
	}
}

// What the service says with its refusal may hold the text of the notification.
func TestRefused(t *testing.T) {
	f := newFakeBus()
	f.refuse["Notify"] = "org.freedesktop.Notifications.Error.ExcessNotificationGeneration"
	n := f.notifier(t, Options{})
	err := n.Notify(t.Context(), changed)
	var refused *Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, Error{"org.freedesktop.Notifications.Error.ExcessNotificationGeneration"}, *refused)
	require.NotErrorIs(t, err, ErrUnavailable)
	assert.EqualError(t, err, "desktop: refused with org.freedesktop.Notifications.Error.ExcessNotificationGeneration")
	assert.Equal(t, 1, f.dials)

	f = newFakeBus()
	f.refuse["Hello"] = "org.freedesktop.DBus.Error.LimitsExceeded"
	err = f.notifier(t, Options{}).Notify(t.Context(), changed)
	require.ErrorIs(t, err, ErrUnavailable)
	assert.EqualError(t, err, `desktop: unavailable: no session bus at "unix:path=/anything": desktop: refused with org.freedesktop.DBus.Error.LimitsExceeded`)
}

// A service that breaks the protocol gets an error, and one more try over a new connection.
func TestNonsense(t *testing.T) {
	for method, results := range map[string][]any{
		"Hello": {}, "GetCapabilities": {uint32(7)}, "GetNameOwner": {int32(-1), "x"}, "Notify": {"one hundred"},
	} {
		f := newFakeBus()
		f.results[method] = results
		n := f.notifier(t, Options{})
		require.Error(t, n.Notify(t.Context(), changed), method)
		f.set(func() { clear(f.results) })
		require.NoError(t, n.Notify(t.Context(), changed), method)
	}
}

// Whatever does not answer, the call ends with its context, after 30 seconds, or with Close, and the next one has a new connection.
func TestSilence(t *testing.T) {
	ends := map[string]func(context.Context, *Notifier) (context.Context, error){
		"context": func(ctx context.Context, _ *Notifier) (context.Context, error) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(10*time.Second, cancel)
			return ctx, context.Canceled
		},
		"patience": func(ctx context.Context, _ *Notifier) (context.Context, error) { return ctx, context.DeadlineExceeded },
		"Close": func(ctx context.Context, n *Notifier) (context.Context, error) {
			time.AfterFunc(10*time.Second, func() { _ = n.Close() })
			return ctx, ErrClosed
		},
	}
	for _, method := range []string{"Hello", "GetCapabilities", "GetNameOwner", "Notify"} {
		for name, end := range ends {
			t.Run(method+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFakeBus()
					f.silent = method
					n := f.notifier(t, Options{})
					begin := time.Now()
					ctx, want := end(t.Context(), n)
					err := n.Notify(ctx, changed)
					require.ErrorIs(t, err, want)
					require.NotErrorIs(t, err, ErrUnavailable)
					if name == "patience" {
						assert.Equal(t, 30*time.Second, time.Since(begin))
					} else {
						assert.Equal(t, 10*time.Second, time.Since(begin))
					}
					synctest.Wait()
					f.silent = ""
					err = n.Notify(t.Context(), changed)
					if name == "Close" {
						require.ErrorIs(t, err, net.ErrClosed)
						return
					}
					require.NoError(t, err)
					assert.Equal(t, 2, f.dials)
					require.NoError(t, n.Close())
				})
			})
		}
	}
}

// A bus that reads no more holds up neither the call nor Close.
func TestDeafBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeBus()
		f.deaf = make(chan struct{})
		n := f.notifier(t, Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, n.Notify(ctx, changed), context.DeadlineExceeded)
		go func() { assert.ErrorIs(t, n.Notify(t.Context(), changed), ErrClosed) }()
		synctest.Wait()
		require.NoError(t, n.Close())
		assert.Empty(t, f.calls())
		close(f.deaf)
	})
}

// Whoever waits for a turn waits as long as its context lasts.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeBus()
		f.silent = "Notify"
		n := f.notifier(t, Options{})
		go func() { assert.ErrorIs(t, n.Notify(t.Context(), changed), ErrClosed) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		require.EqualError(t, n.Notify(ctx, changed), "desktop: context deadline exceeded")
		assert.Equal(t, time.Second, time.Since(begin))
		go func() { assert.ErrorIs(t, n.Notify(t.Context(), changed), ErrClosed) }()
		synctest.Wait()
		require.NoError(t, n.Close())
		require.NoError(t, n.Close())
		require.ErrorIs(t, n.Notify(t.Context(), changed), ErrClosed)
		_, err := n.Name(t.Context())
		require.ErrorIs(t, err, ErrClosed)
	})
}

func TestManyAtOnce(t *testing.T) {
	f := newFakeBus()
	n := f.notifier(t, Options{})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { assert.NoError(t, n.Notify(t.Context(), changed)) })
	}
	wg.Wait()
	calls := f.calls()
	require.Len(t, calls, 50)
	for i, c := range calls {
		assert.Equal(t, i == 0, c.replaces == 0, "each but the first takes the place of the one before")
	}
	assert.Equal(t, 1, f.dials)
}
