package nat

import (
	"fmt"
	"strings"

	"github.com/otrchat/otrchat/internal/interop/foreign"
)

const relayAddress = "203.0.113.1"

// network connects three machines so that both clients reach the relay at relayAddress.
type network struct {
	name    string
	connect func(relay, alice, bob *machine)
	seen    []string // the hosts from which alice and bob reach the relay
	refusal string   // what becomes of a dial to the address at which the relay sees the peer
}

var networks = []network{
	{"no route", noRoute, []string{"10.0.1.2", "10.0.2.2"}, "network is unreachable"},
	{"address translation", addressTranslation, []string{"198.51.100.2", "198.51.100.6"}, "connection refused"},
}

// noRoute gives each client a cable to the relay's machine and a route to the relay's address, and to nothing else.
func noRoute(relay, alice, bob *machine) {
	relay.sh("ip address add %s/32 dev lo", relayAddress)
	alice.plug("net", "10.0.1.2/30", relay, "alice", "10.0.1.1/30")
	bob.plug("net", "10.0.2.2/30", relay, "bob", "10.0.2.1/30")
	alice.sh("ip route add %s via 10.0.1.1", relayAddress)
	bob.sh("ip route add %s via 10.0.2.1", relayAddress)
}

// addressTranslation puts each client behind a router that translates addresses. The relay's machine is the internet between the routers.
func addressTranslation(relay, alice, bob *machine) {
	relay.t.Helper()
	relay.sh("ip address add %s/32 dev lo", relayAddress)
	relay.forward()
	behindRouter(alice, "192.168.1", relay, "alice", "198.51.100.1", "198.51.100.2")
	behindRouter(bob, "192.168.2", relay, "bob", "198.51.100.5", "198.51.100.6")
}

func behindRouter(client *machine, private string, internet *machine, port, provider, public string) {
	client.t.Helper()
	router := boot(client.t, "router")
	router.plug("outside", public+"/30", internet, port, provider+"/30")
	router.plug("inside", private+".1/24", client, "net", private+".2/24")
	router.sh("ip route add default via %s", provider)
	router.masquerade("outside")
	client.sh("ip route add default via %s.1", private)
}

// plug lays a cable from m to another machine, whose end gets the name and the address that are given. The names are those of network interfaces.
func (m *machine) plug(name, address string, to *machine, theirName, theirAddress string) {
	m.t.Helper()
	m.sh("ip link add %s type veth peer name %s netns %d", name, theirName, to.pid)
	for _, end := range []struct {
		*machine
		name, address string
	}{{m, name, address}, {to, theirName, theirAddress}} {
		end.sh("ip address add %[2]s dev %[1]s; ip link set %[1]s up; ip link set lo up", end.name, end.address)
	}
}

// forward makes m a router.
func (m *machine) forward() {
	m.t.Helper()
	m.sh("echo 1 >/proc/sys/net/ipv4/ip_forward")
}

// masquerade makes m a router with one address for all that is behind it: what leaves through the interface seems to come from m.
func (m *machine) masquerade(outside string) {
	m.t.Helper()
	foreign.Need(m.t, "nft")
	m.forward()
	rules := "add table ip nat; add chain ip nat out { type nat hook postrouting priority 100; }; add rule ip nat out oifname " + outside + " masquerade"
	if out, err := m.command("nft '%s'", rules).CombinedOutput(); err != nil {
		foreign.Missing(m.t, fmt.Sprintf("a kernel that translates addresses (%s)", strings.TrimSpace(string(out))))
	}
}
