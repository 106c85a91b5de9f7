package msrp

import (
	"context"
	"unicode/utf8"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
)

const maxNickname = 1023 // bytes

// Nickname asks a conference for a nickname (RFC 7701 section 7.1), or gives the one it has back if name is empty, and waits for the answer. Errors:
// one wrapping ErrMalformed for a name that is too long or not printable text, *StatusError if the conference refuses (StatusForbidden,
// StatusInvalidNickname, StatusNicknameInUse; StatusUnknownMethod if it knows no nicknames), ErrTimeout, and those of Send.
func (s *Session) Nickname(ctx context.Context, name string) error {
	if len(name) > maxNickname || !utf8.ValidString(name) || !validText([]byte(name)) {
		return malformed("nickname")
	}
	c, err := s.connection(true)
	if err != nil {
		return err
	}
	d := &Delivery{s: s}
	room, err := s.admit(ctx, c, &Message{}, d, 1, writeQueue)
	if err == nil {
		id, text := newTransactionID(nil)
		b := append(append(buffer.New(buffer.Tiny), "MSRP "...), text[:]...)
		b = append(append(b, " NICKNAME\r\nTo-Path: "...), s.toPath...)
		b = append(append(b, "\r\nFrom-Path: "...), s.own...)
		b = append(append(b, "\r\nUse-Nickname: "...), Quote(name)...)
		b = append(appendEnd(b, text[:]), "$\r\n"...)
		err = s.enqueue(d, true, 0, func() error {
			if err := c.w.request(b, d); err != nil {
				return err
			}
			s.inFlight(request{id, room, d}, Yes)
			return nil
		})
	}
	if err := s.giveBack(room, err); err != nil {
		return err
	}
	return d.Wait(ctx)
}
