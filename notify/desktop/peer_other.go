//go:build !linux

package desktop

import "net"

// checkPeer has no portable way to tell whose the bus is.
func checkPeer(net.Conn) error { return nil }
