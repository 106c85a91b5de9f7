package sip

import (
	"net"

	"github.com/otrchat/otrchat/sip/siptest"
)

type shim struct{ *Agent }

func (s shim) ListenOn(_ string, l net.Listener) error { return s.Agent.ListenOn(l) }
func (s shim) ListenPacketOn(c net.PacketConn) error   { return s.Agent.listenOnPackets(c) }

var _ siptest.Agent = shim{}
