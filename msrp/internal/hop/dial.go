package hop

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

// Timeout is what Dial has for the connection with its TLS handshake.
const Timeout = 30 * time.Second

// DialContext is the method of that name of net.Dialer.
type DialContext func(ctx context.Context, network, address string) (net.Conn, error)

// Dial opens a connection to address, a host:port, and runs TLS over it unless cfg is nil. Where cfg has no ServerName, name is what the certificate must
// be for and what the server is told. A frame of up to 16 KiB is one TLS record: AG Projects' relay needs that. cfg is not changed.
func Dial(ctx context.Context, dial DialContext, address string, cfg *tls.Config, name string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	nc, err := dial(ctx, "tcp", address)
	if err != nil || cfg == nil {
		return nc, err
	}
	cfg = cfg.Clone()
	cfg.DynamicRecordSizingDisabled = true
	if cfg.ServerName == "" {
		cfg.ServerName = name
	}
	tc := tls.Client(nc, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, fmt.Errorf("TLS to %s: %w", address, err)
	}
	return tc, nil
}
