// Package sip is a SIP user agent (RFC 3261) for calls that set up an MSRP session (RFC 4975 §8) with offer and answer (RFC 3264). It speaks SIP
// and SDP only: it neither listens nor connects for MSRP, package msrp does.
//
// An [Agent] is one user. It places calls with [Agent.Invite] and takes them from [Agent.Accept]. Both sides hand over a [Media], their end of the
// MSRP session, and get the other side's from the [Call].
//
//	a, err := sip.New(&sip.Options{Address: "sip:alice@example.com", Password: password})
//	...
//	registration, err := a.Register(ctx, nil) // over a connection that it keeps; or a.Listen, or both
//	...
//	call, err := a.Invite(ctx, "sip:bob@example.com", &sip.Media{
//		Path:        []string{"msrp://192.0.2.1:2855/a8f3…;tcp"},
//		AcceptTypes: []string{"message/cpim", "text/plain"},
//	})
//	...
//	defer call.Close()
//	if call.Focus() { /* a conference: RFC 4579 */ }
//	if call.Local().Setup == sip.SetupActive { /* connect to call.Remote().Path[0] */ }
//
// Parsing, transactions and their timers are those of github.com/emiago/sipgo; none of its types shows here. Package siptest has a network in memory and
// scripted peers for tests.
//
// # Registration
//
// [Agent.Register] registers the agent at its domain and keeps it registered; [Registration.State] is for a user interface. The route that the registrar
// gives (Service-Route, RFC 3608) leads later calls. With [Options.InstanceID] the agent asks for its connection to be used by requests to it
// (RFC 5626, one flow) and has the URI that the domain gives it (a public GRUU, RFC 5627) in the Contact of its calls.
//
// Digest challenges are answered with [Options.Password] (RFC 7616 with MD5, SHA-256 and SHA-512-256; RFC 8760 for several of them), in calls too.
//
// # Servers and transports
//
// The servers of a domain are found by its NAPTR and SRV records and its addresses (RFC 3263), which [Options.Resolver] looks up. A request goes on to
// the next server where one cannot be reached, does not answer, or says 503; a server that failed comes last for five minutes, one that said 503 for as long
// as its Retry-After says, but no longer than that. [Options.OutboundProxy] takes all this to one proxy.
//
// An agent listens on UDP, TCP, TLS, WebSocket (RFC 7118) or several of them, over IPv4 and IPv6. Only UDP needs a listener: for everything else the agent
// opens connections as it needs them, and takes requests on them, too. It pings those connections ([Options.KeepAlive]), and answers the pings on those
// that it accepted (RFC 5626 §3.5.1). Requests outside a dialog share the connections that lead to the same server. The requests of a dialog
// also go back over the connection that the peer's came on, so that a peer without a listener can be reached. Where that is a WebSocket the agent
// names itself by a host that exists nowhere (RFC 7118 §5).
//
// A request of more than 1300 bytes goes over TCP instead of UDP, and as a datagram only where TCP is refused (RFC 3261 §18.1.1). Responses go the
// way that the request came, whatever their size. Datagrams of more than 32 KiB are not understood.
//
// # Calls
//
// Where proxies ring several phones the first that answers has the call, and the others are hung up on. Redirections are followed
// ([Options.MaxRedirects]). Reliable provisional responses (RFC 3262) are acknowledged, and [Invitation.Ring] sends one where the caller requires it.
// What the peer gave as its reason (RFC 3326) stands in the error of the call or the invitation, as a *[Reason].
//
// Within a call [Call.Reinvite] moves, holds or changes the session. What a peer changes and leaves on its path, a hold for example, is
// answered without the application, and [Call.Changed] tells of it; an offer that moves the session goes to
// [Call.AcceptReinvite], and is refused with 488 where nobody has called that. Session timers (RFC 4028) end a call whose peer has
// vanished; with a negative [Options.SessionExpires] nothing does.
//
// Single messages (MESSAGE, RFC 3428) are for [Agent.ReceiveMessage] where [Options.MessageTypes] names their type, and else refused with 405, as REFER
// and SUBSCRIBE are. Who requires Replaces (RFC 3891) is refused with 420; without that such an INVITE is an ordinary call.
//
// # Offer and answer
//
// In an offer, message lines with TCP/MSRP (and TCP/TLS/MSRP with [Options.AcceptTLS]) are understood; all other
// media lines, file transfers (RFC 5547) and one-way sessions are declined with port 0, and an offer without an acceptable
// line with 488. Who opens the MSRP connection is agreed by a=setup (RFC 4145, RFC 6135), see [AnswerSetup]. Fingerprints of certificates (RFC 8122),
// connections through middleboxes (RFC 6714) and what a conference can do (RFC 7701) stand in Media too; who connects for MSRP acts on them. Sides that
// have no media type in common are refused with [ErrMedia], as are those that cannot agree on TLS or on who connects.
// A list of accepted types that is a bare "*" is legal but refused by Blink and SylkServer: name the types.
//
// # Concurrency
//
// All methods of Agent, Registration, Invitation, Reinvitation and Call may be called from any goroutine at any time. The package hands out no channel that
// must be served, and calls no user code but what Options and the listeners hold: Resolver and Dialer, which must return when their context ends,
// the callbacks of TLS, the handler of Logger, and the sockets. Contexts bound the call that they are given to, nothing else, except that
// [Agent.Invite] cancels its INVITE and [Invitation.Answer] hangs up when theirs ends.
//
// Close works in any state and takes about a second at most, the time that BYE, CANCEL and rejections get to reach silent
// peers. When it returns no goroutine of this package runs; sipgo's readers end with their closed connections
// a moment later. Timers of sipgo's transactions may still fire for up to 32 seconds, and do nothing then.
//
// # Limits
//
// Everything that peers can make an agent keep is bounded:
//
//   - Calls and invitations: [Options.MaxCalls], [Options.MaxInvitations]. An invitation ends after three minutes, a [Reinvitation] after 30 seconds,
//     a 200 without an ACK after 32 seconds.
//   - Connections of all kinds: [Options.MaxConnections]; the one that was silent longest makes room, for a peer's one of the peers'. Dead ones are found by
//     TCP keep-alive. 128 in the middle of a handshake, for ten seconds each, and the oldest makes room. A write to a peer that does not read ends after
//     ten seconds, and the connection with it.
//   - SIP messages: 64 KiB, with 32 Record-Routes and 512 parameters in a URI or a header field. WebSocket messages: 64 KiB, and their HTTP heads 16 KiB.
//   - Server transactions: 4096, with 16 MiB of requests, and as much for re-INVITEs, for 32 seconds each; beyond that new calls and
//     messages get 503, and other requests are answered and not remembered.
//   - Requests of a call that wait for their turn: 32. Messages that wait for ReceiveMessage: 64.
//   - SDP: 16 KiB, 512 lines, 32 media lines, paths of 16 URIs, 64 media types in each list, 16 fingerprints.
//   - Of one INVITE of ours: 8 early dialogs, 8 further answers, the redirections of Options.MaxRedirects.
//   - Realms that one call or registration answers: 8, with challenges of 2 KiB. URIs of a Service-Route: 16. Values of Reason: 8.
//   - One search in DNS: 8 NAPTR records, 16 servers, 16 addresses; 5 seconds for each question and 30 for all. 256 servers that failed are remembered.
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
// answers to one server's. Challenges are answered within the call or the registration that they came in, those that came over TLS over nothing else, and
// not where a call is redirected to; a registrar may send us on to a server of its own domain alone.
//
// A peer says with its Contact where our requests to it go, and with a redirection where our call goes; proxies do so with Record-Route. So whom
// we call can make us send SIP to any address that we can reach, inside our network too. [Options.OutboundProxy] leaves such addresses to the proxy,
// as far as that stays in the route of the call, and a negative [Options.MaxRedirects] follows no redirection. A call to a sips URI stays with sips.
//
// CR, LF and NUL are refused in everything that a user of the package hands in, and messages of peers that have
// control characters in a header field are dropped, so that no line can be smuggled into a message of ours. Errors and log lines hold no body and no
// credential. What a peer wrote stands there only as a reason phrase (in *[StatusError]), a [Reason], or a word such as a host or a transport, cleaned and
// bounded.
//
// sipgo logs some warnings to a logger of the whole process. This package's init sets it to discard; a program that uses
// sipgo itself may set it again with sipgo's SetDefaultLogger.
package sip
