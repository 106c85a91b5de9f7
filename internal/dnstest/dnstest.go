package dnstest

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// A Fault is what is wrong with an answer.
type Fault int

// Faults that a question can meet.
const (
	ServerFailure Fault = iota + 1 // the code SERVFAIL
	Silence                        // no answer
	Truncation                     // over UDP no records and the bit that says so; nothing is wrong over TCP
	WrongID                        // an answer with another ID first, that holds other records, then the right one
	WrongQuestion                  // the answer to another question
)

// A Server answers on one port of 127.0.0.1, over UDP and TCP.
type Server struct {
	Addr string // address and port

	mu      sync.Mutex
	records []dns.RR
	faults  map[string]Fault
	asked   []string
}

// Serve starts a server with records in the form of a zone file (RFC 1035 §5.1), one a line, without TTL and class if you like. It ends
// with the test.
func Serve(t testing.TB, zone string) *Server {
	t.Helper()
	s := &Server{faults: make(map[string]Fault)}
	parser := dns.NewZoneParser(strings.NewReader(zone), ".", "")
	parser.SetDefaultTTL(60)
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		s.records = append(s.records, rr)
	}
	if err := parser.Err(); err != nil {
		t.Fatalf("dnstest: %v", err)
	}
	packets, listener, err := listen()
	if err != nil {
		t.Fatalf("dnstest: %v", err)
	}
	s.Addr = packets.LocalAddr().String()
	handler := dns.HandlerFunc(s.serve)
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: handler}, {Listener: listener, Handler: handler}} {
		started, ended := make(chan struct{}), make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go func() {
			defer close(ended)
			if err := server.ActivateAndServe(); err != nil {
				t.Errorf("dnstest: %v", err)
			}
		}()
		<-started
		t.Cleanup(func() { _ = server.Shutdown(); <-ended })
	}
	return s
}

// listen opens the same port for UDP and TCP.
func listen() (net.PacketConn, net.Listener, error) {
	for tries := 10; ; tries-- {
		packets, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		listener, err := net.Listen("tcp", packets.LocalAddr().String())
		if err == nil {
			return packets, listener, nil
		}
		_ = packets.Close()
		if tries == 0 {
			return nil, nil, err
		}
	}
}

// Break lets a question such as "SRV _sip._tcp.example.test." meet a fault from now on.
func (s *Server) Break(question string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[question] = f
}

// Asked returns the questions that arrived, such as "NAPTR example.test.", in their order.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *Server) serve(w dns.ResponseWriter, query *dns.Msg) {
	q := query.Question[0]
	question := dns.TypeToString[q.Qtype] + " " + strings.ToLower(q.Name)
	s.mu.Lock()
	s.asked = append(s.asked, question)
	fault := s.faults[question]
	res := s.answer(query)
	s.mu.Unlock()
	switch fault {
	case ServerFailure:
		res = new(dns.Msg).SetRcode(query, dns.RcodeServerFailure)
	case Silence:
		return
	case Truncation:
		if w.LocalAddr().Network() == "udp" {
			res.Answer, res.Truncated = nil, true
		}
	case WrongID:
		wrong := res.Copy()
		wrong.Id++
		wrong.Answer = nil
		_ = w.WriteMsg(wrong) // the client is gone
	case WrongQuestion:
		res.Question[0].Name = "other." + res.Question[0].Name
	}
	_ = w.WriteMsg(res) // the client is gone
}

// answer is called with s.mu held.
func (s *Server) answer(query *dns.Msg) *dns.Msg {
	res := new(dns.Msg).SetReply(query)
	name, exists := query.Question[0].Name, false
	for range 8 {
		next := ""
		for _, rr := range s.records {
			if !strings.EqualFold(rr.Header().Name, name) {
				continue
			}
			exists = true
			if alias, ok := rr.(*dns.CNAME); ok {
				next = alias.Target
			}
			if t := rr.Header().Rrtype; t == query.Question[0].Qtype || t == dns.TypeCNAME {
				res.Answer = append(res.Answer, rr)
			}
		}
		if next == "" {
			break
		}
		name = next
	}
	if !exists {
		res.Rcode = dns.RcodeNameError
	}
	return res
}
