package nat

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/relay"
)

var (
	users     = []string{"alice", "bob"}
	passwords = relay.Users{"alice": "secret", "bob": "hunter2"}
)

// Two clients that cannot reach each other chat through a relay that both can reach.
func TestChatThroughTheRelay(t *testing.T) {
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			needNetworks(t)
			server, clients := boot(t, "relay"), []*machine{boot(t, "client"), boot(t, "client")}
			n.connect(server, clients[0], clients[1])
			cert, _ := certtest.New(t, relayAddress)
			certificate, key := certtest.PEM(t, cert)
			server.tell(relayOrder{certificate, key, passwords})
			require.Equal(t, relayAddress+":2855", hear[string](server))

			addresses := make([]address, 2)
			public := make([]string, 2) // where the relay sees the clients
			for i, c := range clients {
				c.tell(clientOrder{users[i], passwords[users[i]], certificate})
				public[i], addresses[i] = hear[string](server), hear[address](c)
				require.Equal(t, n.seen[i], host(t, public[i]))
			}
			for i, c := range clients {
				peer := 1 - i
				attempts := append([]string{listener(t, addresses[i])}, direct(t, addresses[peer], public[peer])...)
				c.tell(callOrder{[]msrp.Role{msrp.Active, msrp.Passive}[i], addresses[peer].Path, attempts})
			}
			for i, c := range clients {
				result := hear[call](c)
				require.Empty(t, result.Dials[0], "who could be reached can be")
				require.Contains(t, result.Dials[1], "network is unreachable")
				require.Contains(t, result.Dials[2], n.refusal)
				require.Contains(t, result.Dials[3], n.refusal)
				require.Equal(t, says(users[1-i]), result.Heard)
			}
			end(server, clients[0], clients[1])
		})
	}
}

// listener is where a client accepts connections, by the address that it knows itself.
func listener(t *testing.T, a address) string {
	path, err := msrp.ParsePath(a.Path)
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(a.Listener)
	require.NoError(t, err)
	return net.JoinHostPort(path[len(path)-1].Host, port)
}

// direct lists where a client might be reached without the relay: where it listens, by its own address and by the one that the relay sees, and where it has
// connected to the relay from.
func direct(t *testing.T, a address, public string) []string {
	l := listener(t, a)
	_, port, err := net.SplitHostPort(l)
	require.NoError(t, err)
	return []string{l, net.JoinHostPort(host(t, public), port), public}
}

func host(t *testing.T, address string) string {
	h, _, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return h
}
