package hop

import (
	"crypto/tls"
	"net"
	"time"
)

// alertTimeout is for the last TLS alert of a connection being closed.
const alertTimeout = 100 * time.Millisecond

// Alert runs end, which closes nc or the sending half of it. TLS sends a last alert there, for which a peer that does not read could make it wait: it has 100 ms.
func Alert(nc net.Conn, end func() error) error {
	if tc, ok := nc.(*tls.Conn); ok {
		t := time.AfterFunc(alertTimeout, func() { tc.NetConn().Close() })
		defer t.Stop()
	}
	return end()
}
