// Package sip is a SIP user agent (RFC 3261) for calls that set up an MSRP session (RFC 4975 §8) with offer and
// answer (RFC 3264).
//
// An [Agent] listens on UDP, TCP, TLS, WebSocket (RFC 7118) or several of them, or on nothing and uses the connections that it opens. It places
// calls with [Agent.Invite] and takes them from [Agent.Accept]. Both
// sides hand over a [Media], their end of the MSRP session, and get the other side's from the [Call]. The package speaks
// SIP and SDP only: it neither listens nor connects for MSRP, package msrp does.
//
//	a, err := sip.New(&sip.Options{Address: "sip:alice@example.com"})
//	...
//	addr, err := a.Listen(ctx, "tcp", "192.0.2.1:5060")
//	...
//	call, err := a.Invite(ctx, "sip:bob@192.0.2.2;transport=tcp", &sip.Media{
//		Path:        []string{"msrp://192.0.2.1:2855/a8f3…;tcp"},
//		AcceptTypes: []string{"message/cpim", "text/plain"},
//	})
//	...
//	if call.Focus() { /* a conference: RFC 4579 */ }
//	if call.Local().Setup == sip.SetupActive { /* connect to call.Remote().Path[0] */ }
//	defer call.Close()
//
// Transport and transactions are those of github.com/emiago/sipgo; none of its types shows here. Dialogs, digest
// authentication (RFC 7616 with MD5, SHA-256 and SHA-512-256; RFC 8760 for several challenges), cancelling, and the repeated
// 2xx with its ACK are this package's own.
//
// The servers of a domain are found by its NAPTR and SRV records and its addresses (RFC 3263), which [Options.Resolver] looks up. A request goes on to
// the next server where one cannot be reached, does not answer, or says 503; a server that failed comes last for five minutes, or for the Retry-After
// of its 503. [Options.OutboundProxy] takes all this to one proxy.
//
// Connections that we opened are pinged ([Options.KeepAlive]); the peers' pings are answered on all of them (RFC 5626 §3.5.1). Requests outside a dialog
// share the connections that lead to the same server, and the requests of a dialog also go back over the connection that the peer's came on: who
// opened it can be reached over it and needs no listener. Where that is a WebSocket the agent names itself by a host that exists nowhere (RFC 7118 §5).
//
// Where proxies ring several phones the first that answers has the call, and the others are hung up on. Redirections are followed
// ([Options.MaxRedirects]). Reliable provisional responses (RFC 3262) are acknowledged, and [Invitation.Ring] sends one where the caller requires it.
// What the peer gave as its reason (RFC 3326) stands in the error of the call or the invitation, as a *[Reason]. Replaces (RFC 3891) is not
// supported: who requires it is refused with 420, and without that it is an ordinary call.
//
// [Agent.Register] registers the agent at its domain and keeps it registered; [Registration.State] is for a user interface. The route that the registrar
// gives (Service-Route, RFC 3608) leads later calls. With [Options.InstanceID] the agent asks for its connection to be used by requests to it
// (RFC 5626, one flow) and has the URI that the domain gives it (a public GRUU, RFC 5627) in the Contact of its calls.
//
// In an offer, message lines with TCP/MSRP (and TCP/TLS/MSRP with [Options.AcceptTLS]) are understood; all other
// media lines, file transfers (RFC 5547) and one-way sessions are declined with port 0, and an offer without an acceptable
// line with 488. Who opens the MSRP connection is agreed by a=setup (RFC 4145, RFC 6135), see [AnswerSetup]. Fingerprints of certificates (RFC 8122),
// connections through middleboxes (RFC 6714) and what a conference can do (RFC 7701) stand in Media too; who connects for MSRP acts on them. Sides that
// have no media type in common are refused with [ErrMedia], as are those that cannot agree on TLS or on who connects.
// A list of accepted types that is a bare "*" is legal but refused by Blink and SylkServer: name the types.
//
// Within a call [Call.Reinvite] moves, holds or changes the session. What a peer changes and leaves on its path, a hold for example, is
// answered without the application, and [Call.Changed] tells of it; an offer that moves the session goes to
// [Call.AcceptReinvite], and is refused with 488 where nobody has called that. Session timers (RFC 4028) end a call whose peer has
// vanished; with a negative [Options.SessionExpires] nothing does. REFER and SUBSCRIBE are refused with 405, and single messages (MESSAGE, RFC
// 3428) too unless [Options.MessageTypes] names what [Agent.ReceiveMessage] shall hand over.
//
// # Concurrency
//
// All methods of Agent, Registration, Invitation and Call may be called from any goroutine at any time. The package calls no user code
// but Options.Resolver and Options.Dialer, which must return when their context ends, the callbacks of Options.TLS, and listeners of the caller's, and
// hands out no channel that must be served. Contexts bound the call that they are given to, nothing else, except that
// [Agent.Invite] cancels its INVITE and [Invitation.Answer] hangs up when theirs ends.
//
// Close works in any state and takes about a second at most, the time that BYE, CANCEL and rejections get to reach silent
// peers. When it returns no goroutine of this package runs; sipgo's readers end with their closed connections
// a moment later. Timers of sipgo's transactions may still fire for up to 32 seconds, and do nothing then.
//
// # Limits
//
// What peers can make an agent keep is bounded: calls and invitations ([Options.MaxCalls], [Options.MaxInvitations]),
// connections of all kinds ([Options.MaxConnections]; dead ones are found by TCP keep-alive), connections in the middle of a handshake (128, for ten
// seconds each), WebSocket messages (64 KiB) and their HTTP heads (16 KiB), server transactions (4096, with 16 MiB of requests, and as much for re-INVITEs, for 32
// seconds each), messages that wait for [Agent.ReceiveMessage] (64), requests of a call that wait for their turn (32), SIP messages (64 KiB), SDP (16 KiB, 512 lines, 32 media lines), paths
// (16 URIs), lists of media types (64 in each), fingerprints (16), realms that one call or registration answers (8), URIs of a Service-Route (16), of one INVITE of ours the
// early dialogs (8), further answers (8) and redirections ([Options.MaxRedirects]), of a request the values of Reason (8). An invitation ends after three minutes, a 200 without an ACK after 32 seconds, a
// write to a TCP peer that does not read after ten seconds.
//
// What DNS answers makes one search follow 8 NAPTR records, 16 servers and 16 addresses at most, with 5 seconds for each question and
// 30 for all. 256 servers that failed are remembered.
//
// A request of more than 1300 bytes goes over TCP instead of UDP, and as a datagram only where TCP is refused (RFC 3261 §18.1.1). Responses go the
// way that the request came, whatever their size. Datagrams of more than 32 KiB are not understood.
//
// # Security
//
// SIP over TCP, UDP and WebSocket without TLS is neither encrypted nor authenticated: who can read the network sees who talks to whom, and the
// caller's address is the caller's own claim. The same holds for isfocus. The keys that an OTR conversation agrees
// on are what tells a peer's identity.
//
// The networks tls and wss use TLS 1.2 or newer. The server's certificate must hold for the host of the URI that a request goes to, and come from
// [Options.TLS]'s roots; wildcards hold as in HTTPS, which RFC 5922 §7.2 would not have, because providers use them. On connections that we accept a
// certificate is demanded only if Options.TLS says so, and then no more is known of the caller than that it has one. A WebSocket is accepted from
// every origin: what a page could do to a user who is logged in somewhere does not arise, because SIP knows no cookies.
//
// DNS is not trusted. A request for a sips URI goes by TLS alone, to a server whose certificate names the domain of the URI, whatever
// the records say. A sip URI asks for no encryption: its request goes by TLS where the domain's records offer that, and then in no other way;
// where they do not, or cannot be had, it goes in plain. Write sips or transport=tls where that will not do.
//
// Anybody we call may send a digest challenge and try passwords against our answer at home. [Options.Realm] limits the
// answers to one server's. An answer goes only where its challenge came from, within one call or one registration; a registrar may send us on to
// a server of its own domain alone.
//
// A peer says with its Contact where our requests to it go, and with a redirection where our call goes; proxies do so with Record-Route. So whom
// we call can make us send SIP to any address that we can reach, inside our network too. [Options.OutboundProxy] leaves such addresses to the proxy,
// and a negative [Options.MaxRedirects] follows no redirection. A call to a sips URI stays with sips.
//
// CR, LF and NUL are refused in everything that a user of the package hands in, and messages of peers that have
// control characters in a header field are dropped, so that no line can be smuggled into a message of ours. Errors
// and log lines hold no body, no credential, and of a peer's text only reason phrases (in *[StatusError]), reasons ([Reason]) and transport
// names, cleaned and bounded.
//
// sipgo logs some warnings to a logger of the whole process. This package's init sets it to discard; a program that uses
// sipgo itself may set it again with sipgo's SetDefaultLogger.
package sip
