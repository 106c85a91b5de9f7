package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"

	"github.com/otrchat/otrchat/contacts/internal/watch"
)

const notify = `SELECT pg_notify($1, '')`

// channel is where the owner's changes are told. Any role of the database may listen to any channel, so it does not show the owner; and since it stands
// in LISTEN, which takes no parameters, it is made of letters and digits only.
func (s *Store) channel() string {
	sum := sha256.Sum256([]byte(s.owner))
	return "otrchat_" + hex.EncodeToString(sum[:16])
}

// waitNotified waits for a notification, listeningSafety at most. What happened before LISTEN was executed is not told, so it does not wait then; and while no
// connection can be had, or Options.Listen fails, it is as if there were none.
func (w *watcher) waitNotified(ctx context.Context) error {
	if w.listening == nil {
		if w.startListening(ctx) {
			return nil
		}
		return watch.Sleep(ctx, interval)
	}
	limited, cancel := context.WithTimeout(ctx, listeningSafety)
	defer cancel()
	if err := w.store.listen(limited, w.listening); err == nil || limited.Err() != nil {
		return ctx.Err()
	}
	w.stopListening()
	return watch.Sleep(ctx, interval)
}

// startListening takes a connection to listen on. It tells whether that worked. The last one that DB.SetMaxOpenConns allows stays for the calls, which would
// wait for it for ever.
func (w *watcher) startListening(ctx context.Context) bool {
	conn, err := w.store.db.Conn(ctx)
	if err != nil {
		return false
	}
	if pool := w.store.db.Stats(); pool.MaxOpenConnections > 0 && pool.InUse >= pool.MaxOpenConnections {
		_ = conn.Close()
		return false
	}
	w.listening = conn
	if _, err := conn.ExecContext(ctx, "LISTEN "+w.store.channel()); err != nil {
		w.stopListening()
		return false
	}
	return true
}

// stopListening closes the connection, which must not go back to the others while it listens.
func (w *watcher) stopListening() {
	if w.listening == nil {
		return
	}
	_ = w.listening.Raw(func(any) error { return driver.ErrBadConn })
	_ = w.listening.Close()
	w.listening = nil
}
