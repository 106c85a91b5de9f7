//go:build unix

package sql

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/otrsession"
)

const bobOnLoopback = "bob@127.0.0.1"

// clients: what Alice does on one machine reaches the chats that she has open on another, and a changed key is announced on one of them.
func clients(t *testing.T, d database) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dsn := d.dsn(t)
	var warnings atomic.Int32 // of both machines
	machine := func() (*otrchat.Client, contacts.Store) {
		store := migrated(t, listener(d.open(t, dsn)))
		count := notify.Func(func(_ context.Context, n notify.Notification) error {
			if n.Kind == notify.VerifiedFingerprintChanged {
				warnings.Add(1)
			}
			return nil
		})
		client, _ := listen(ctx, t, &otrchat.Options{Address: "sip:alice@127.0.0.1", Key: key(t), Contacts: store, Notifier: count})
		return client, store
	}
	desk, store := machine()
	phone, _ := machine()
	bob, mallory := callee(ctx, t), callee(ctx, t)

	deskChat, phoneChat := call(ctx, t, desk, bob), call(ctx, t, phone, bob)
	for _, chat := range []*otrchat.EncryptedChat{deskChat, phoneChat} {
		before, s := untilLock(ctx, t, chat)
		require.Equal(t, otrchat.Unverified, s)
		require.Empty(t, before)
	}
	fp, _ := deskChat.RemoteFingerprint()
	require.NoError(t, deskChat.SetVerified(ctx, fp, true))
	for _, chat := range []*otrchat.EncryptedChat{deskChat, phoneChat} {
		_, s := untilLock(ctx, t, chat)
		require.Equal(t, otrchat.Verified, s)
	}
	require.NoError(t, phoneChat.SetPolicy(ctx, otrchat.Always))
	require.Eventually(t, func() bool { return deskChat.Policy() == otrchat.Always }, patience, tick)

	// Mallory comes to both machines at the same time, with Bob's address and a key of its own.
	chats := make([]*otrchat.EncryptedChat, 2)
	var wg sync.WaitGroup
	for i, client := range []*otrchat.Client{desk, phone} {
		wg.Go(func() { chats[i] = call(ctx, t, client, mallory) })
	}
	wg.Wait()
	var notices []otrchat.SystemMessage
	for _, chat := range chats {
		before, s := untilLock(ctx, t, chat)
		require.Equal(t, otrchat.Changed, s)
		notices = append(notices, before...)
	}
	require.Len(t, notices, 1)
	require.Equal(t, notify.VerifiedFingerprintChanged, notices[0].Kind)

	_, err := contacts.Update(ctx, store, bobOnLoopback, func(c *contacts.Contact) error { return c.Revoke(contacts.Fingerprint(fp)) })
	require.NoError(t, err)
	for _, chat := range []*otrchat.EncryptedChat{deskChat, phoneChat} {
		before, s := untilLock(ctx, t, chat)
		require.Equal(t, otrchat.Changed, s)
		require.Len(t, before, 1)
		require.Equal(t, notify.RevokedKeyUsed, before[0].Kind)
	}
	require.NoError(t, desk.Shutdown(ctx))
	require.NoError(t, phone.Shutdown(ctx))
	assert.Equal(t, int32(1), warnings.Load())
}

func key(t *testing.T) *otrsession.Key {
	t.Helper()
	k, err := otrsession.GenerateKey()
	require.NoError(t, err)
	return k
}

// listen makes a client on loopback, and tells where to call it.
func listen(ctx context.Context, t *testing.T, o *otrchat.Options) (c *otrchat.Client, at string) {
	t.Helper()
	c, err := otrchat.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	addr, err := c.Listen(ctx, "tcp", "127.0.0.1:0", "127.0.0.1:0")
	require.NoError(t, err)
	return c, "sip:bob@" + addr.String() + ";transport=tcp"
}

// callee is somebody with Bob's address and a new key who answers every call.
func callee(ctx context.Context, t *testing.T) (at string) {
	t.Helper()
	c, at := listen(ctx, t, &otrchat.Options{Address: "sip:" + bobOnLoopback, Key: key(t)})
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	wg.Go(func() {
		for {
			i, err := c.Accept(context.Background())
			if err != nil {
				return // closed
			}
			if _, err := i.Answer(ctx); err != nil {
				t.Error(err)
			}
		}
	})
	return at
}

func call(ctx context.Context, t *testing.T, c *otrchat.Client, at string) *otrchat.EncryptedChat {
	t.Helper()
	chat, err := c.Call(ctx, at)
	assert.NoError(t, err)
	return chat
}

// untilLock returns the system messages before the lock changes, and the lock.
func untilLock(ctx context.Context, t *testing.T, chat *otrchat.EncryptedChat) (before []otrchat.SystemMessage, s otrchat.Security) {
	t.Helper()
	require.NotNil(t, chat)
	for {
		e, err := chat.Receive(ctx)
		require.NoError(t, err)
		switch e := e.(type) {
		case otrchat.SystemMessage:
			before = append(before, e)
		case otrchat.SecurityChange:
			return before, e.Security
		}
	}
}
