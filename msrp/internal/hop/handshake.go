package hop

import (
	"context"
	"net"
)

// Handshake runs TLS on an accepted connection. On one without TLS it does nothing.
func Handshake(ctx context.Context, nc net.Conn) error {
	if h, ok := nc.(interface{ HandshakeContext(context.Context) error }); ok {
		return h.HandshakeContext(ctx)
	}
	return nil
}
