package sip

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

const (
	instance = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
	pubGRUU  = "sip:bob@192.0.2.9;gr=" + instance
)

// grants answers with a 200 whose Contact has further parameters, and with further header fields.
func grants(params, rest string) func(int, *siptest.Message) (string, string) {
	return func(_ int, req *siptest.Message) (string, string) {
		return "200 OK", "Contact: " + req.Value("Contact") + params + "\n" + rest
	}
}

// invite calls somebody behind the registrar's host and returns the INVITE as it arrives there.
func (r *registrar) invite(ctx context.Context, a *Agent) *siptest.Message {
	before := r.count()
	_, _ = a.Invite(ctx, "sip:carol@192.0.2.9", testMedia("bob")) // 486
	return r.request(before)
}

func TestRFC3608_6_1_ServiceRoute(t *testing.T) {
	long := strings.TrimSuffix(strings.Repeat("<sip:192.0.2.9;lr>, ", maxServiceRoutes), ", ")
	for _, tt := range []struct {
		name, rest string
		want       []string
	}{
		{"none", "", nil},
		{"two header fields", "Service-Route: <sip:192.0.2.9;lr>\nService-Route: \"P2, the second\" <sip:orig@p2.example.com;transport=tcp;lr>;x=y",
			[]string{"sip:192.0.2.9;lr", "sip:orig@p2.example.com;transport=tcp;lr"}},
		{"a list", "Service-Route: <sip:192.0.2.9;lr> , <sip:p2.example.com;LR=on>", []string{"sip:192.0.2.9;lr", "sip:p2.example.com;LR=on"}},
		{"sixteen", "Service-Route: " + long, strings.Split(strings.NewReplacer("<", "", ">", "").Replace(long), ", ")},
		{"seventeen", "Service-Route: " + long + ", <sip:192.0.2.9;lr>", nil},
		{"a strict router", "Service-Route: <sip:192.0.2.9;lr>, <sip:p2.example.com>", nil},
		{"no angle brackets", "Service-Route: sip:192.0.2.9;lr", nil},
		{"another scheme", "Service-Route: <tel:112;lr>", nil},
		{"a quote in the URI", `Service-Route: <sip:192.0.2.9";lr>`, nil},
		{"a blank in the URI", "Service-Route: <sip:192.0.2.9;lr;x= y>", nil},
		{"not ASCII", "Service-Route: <sip:bücher.example;lr>", nil},
		{"a header part", "Service-Route: <sip:192.0.2.9;lr?Route=evil>", nil},
		{"empty", "Service-Route: <>", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				r := newRegistrar(t, grants("", tt.rest))
				a := r.agent(t, &Options{})
				reg, err := a.Register(ctx, nil)
				require.NoError(t, err)
				assert.Equal(t, tt.want, reg.State().ServiceRoute)
				var routes []string
				for _, u := range r.invite(ctx, a).Values("Route") {
					routes = append(routes, strings.Trim(u, "<>"))
				}
				assert.Equal(t, tt.want, routes)
			})
		})
	}
}

// REGISTER itself goes by the outbound proxy alone, calls by both; after another 200 the latest Service-Route counts, and after the end none.
func TestRFC3608_5_RegisterGoesWithoutIt(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, grants("", "Service-Route: <sip:p2.example.com;lr>"))
		a := r.agent(t, &Options{Address: "sip:bob@example.com", OutboundProxy: "sip:192.0.2.9"})
		reg, err := a.Register(ctx, &RegisterOptions{Expires: time.Minute})
		require.NoError(t, err)
		const proxy = "<sip:192.0.2.9;lr>"
		assert.Equal(t, []string{proxy}, r.request(0).Values("Route"))
		assert.Equal(t, "sip:example.com", r.request(0).URI)
		assert.Equal(t, []string{proxy, "<sip:p2.example.com;lr>"}, r.invite(ctx, a).Values("Route"))

		r.then(grants("", "Service-Route: <sip:192.0.2.9;lr>, <sip:p3.example.com;lr>"))
		for len(reg.State().ServiceRoute) == 1 {
			<-reg.Changed()
		}
		assert.Equal(t, []string{proxy}, r.request(r.count()-1).Values("Route"))
		assert.Equal(t, []string{proxy, "<sip:p3.example.com;lr>"}, r.invite(ctx, a).Values("Route"), "the proxy is not in it twice")
		require.NoError(t, reg.Shutdown(ctx))
		assert.Equal(t, []string{proxy}, r.invite(ctx, a).Values("Route"))
	})
}

func TestRFC5627_4_2_LearnsGRUUs(t *testing.T) {
	const temporary = "sip:tgruu.7hs==jd7vnzga5w7fajsc7-ajd6fabz0f8g5@example.com;gr"
	for _, tt := range []struct {
		name, params    string
		public, private string
	}{
		{"both", `;pub-gruu="` + pubGRUU + `";temp-gruu="` + temporary + `"`, pubGRUU, temporary},
		{"the other order and case", `; Temp-GRUU="` + temporary + `" ; PUB-gruu="` + pubGRUU + `";x`, pubGRUU, temporary},
		{"public alone", `;pub-gruu="` + pubGRUU + `"`, pubGRUU, ""},
		{"temporary alone", `;temp-gruu="` + temporary + `"`, "", temporary},
		{"neither", "", "", ""},
		{"no GRUUs", `;pub-gruu="sip:bob@example.com";temp-gruu="tel:112;gr"`, "", ""},
		{"no URIs", `;pub-gruu="";temp-gruu="x;gr"`, "", ""},
		{"a line of its own", `;pub-gruu="sip:bob@example.com;gr=x` + "\t" + `Evil: 1"`, "", ""},
		{"more than the URI", `;pub-gruu="sip:bob@example.com;gr=x>;evil"`, "", ""},
		{"a header part", `;pub-gruu="sip:bob@example.com;gr=x?Route=evil"`, "", ""},
		{"without a user", `;pub-gruu="sip:example.com;gr=x"`, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				r := newRegistrar(t, grants(tt.params, ""))
				a := r.agent(t, &Options{InstanceID: instance})
				reg, err := a.Register(ctx, nil)
				require.NoError(t, err)
				assert.Equal(t, `<sip:bob@192.0.2.1:5060;transport=udp>;expires=3600;+sip.instance="<`+instance+`>"`, r.request(0).Value("Contact"))
				assert.Contains(t, r.request(0).Value("Supported"), "gruu")
				assert.Equal(t, tt.public, reg.State().GRUU)
				assert.Equal(t, tt.private, reg.State().TemporaryGRUU)
			})
		})
	}
}

// The public GRUU stands in the Contact of calls, with isfocus, but not in that of REGISTER, nor after the end of the registration.
func TestRFC5627_4_4_UsesTheGRUU(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, grants(`;pub-gruu="`+pubGRUU+`"`, ""))
		a := r.agent(t, &Options{InstanceID: instance, Focus: true})
		reg, err := a.Register(ctx, nil)
		require.NoError(t, err)
		m := r.invite(ctx, a)
		assert.Equal(t, "<"+pubGRUU+">;isfocus", m.Value("Contact"))
		assert.Contains(t, m.Value("Supported"), "gruu")
		require.NoError(t, reg.Shutdown(ctx))
		assert.Equal(t, `<sip:bob@192.0.2.1:5060;transport=udp>;expires=0;+sip.instance="<`+instance+`>"`, r.request(r.count()-1).Value("Contact"))
		assert.Equal(t, "<sip:bob@192.0.2.1:5060;transport=udp>;isfocus", r.invite(ctx, a).Value("Contact"))
	})
}

// Without an instance of our own a GRUU is another agent's.
func TestGRUUOfSomebodyElse(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, grants(`;pub-gruu="`+pubGRUU+`"`, ""))
		reg, err := r.agent(t, &Options{}).Register(ctx, nil)
		require.NoError(t, err)
		assert.Empty(t, reg.State().GRUU)
	})
	bubble(t, func(t *testing.T, ctx context.Context) { // another instance at our address, ours behind it
		r := newRegistrar(t, func(_ int, req *siptest.Message) (string, string) {
			u := "<" + req.Address("Contact") + ">"
			return "200 OK", fmt.Sprintf(`Contact: %s;+sip.instance="<urn:uuid:other>";expires=10;pub-gruu="sip:x@y;gr", %s;+sip.instance="<%s>";expires=20;pub-gruu="%s"`,
				u, u, strings.ToUpper(instance), pubGRUU)
		})
		reg, err := r.agent(t, &Options{InstanceID: instance}).Register(ctx, nil)
		require.NoError(t, err)
		assert.Equal(t, pubGRUU, reg.State().GRUU)
		assert.Equal(t, 20*time.Second, time.Until(reg.State().Expires))
	})
}

// A registrar that answers at length costs no more than its message.
func TestRFC3261_10_2_4_HundredsOfContacts(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, func(_ int, req *siptest.Message) (string, string) {
			return "200 OK", "Contact: " + strings.Repeat("<sip:bob@192.0.2.7>;expires=5, ", 900) + req.Value("Contact")
		})
		reg, err := r.agent(t, &Options{}).Register(ctx, nil)
		require.NoError(t, err)
		assert.Equal(t, time.Hour, time.Until(reg.State().Expires))
	})
}

func mustParse(t *testing.T, s string) (u gosip.Uri) {
	t.Helper()
	require.NoError(t, gosip.ParseUri(s, &u))
	return u
}

func TestSameURI(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{ // the first eleven are the examples of RFC 3261 §19.1.4
		{"sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp", true},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true},
		{"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5", true},
		{"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com", "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com", true},
		{"sip:alice@atlanta.com?subject=project%20x&priority=urgent", "sip:alice@atlanta.com?priority=urgent&subject=project%20x", true},
		{"SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtlanTa.CoM;Transport=UDP", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", false},
		{"sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false},
		{"sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", false},
		{"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", false},
		{"sip:bob@[2001:db8::1]:5060", "sip:bob@[2001:DB8:0::1]:5060", true},
		{"sip:bob@[2001:db8::1]:5060", "sip:bob@[2001:db8::2]:5060", false},
		{"sips:bob@biloxi.com", "sip:bob@biloxi.com", false},
		{"sip:bob@biloxi.com", "sip:bob:secret@biloxi.com", false},
		{"sip:bob@biloxi.com;user=phone", "sip:bob@biloxi.com", false},
		{"sip:bob@biloxi.com;maddr=192.0.2.4", "sip:bob@biloxi.com", false},
	} {
		a, b := mustParse(t, tt.a), mustParse(t, tt.b)
		assert.Equal(t, tt.same, sameURI(a, b), "%s %s", tt.a, tt.b)
		assert.Equal(t, tt.same, sameURI(b, a), "%s %s", tt.b, tt.a)
	}
}
