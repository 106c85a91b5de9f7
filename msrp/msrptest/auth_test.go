package msrptest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/digest"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// The relay of this test is a Peer too.
func TestAuth(t *testing.T) {
	relay, err := msrp.ParsePath("msrp://first.example.com:2855/way;tcp msrp://relay.example.com;tcp")
	require.NoError(t, err)
	ha1 := digest.HA1(digest.SHA256, "alice", "example.com", "secret")
	challenge := digest.Challenge{Realm: "example.com", Nonce: "nonce", Algorithm: digest.SHA256}
	tests := []struct {
		name, password, challenge string
		status                    int // of the last response
	}{
		{"no challenge", "secret", "", 200},
		{"right password", "secret", challenge.String(), 200},
		{"wrong password", "secrets", challenge.String(), 403},
		{"unknown scheme", "secret", "Basic", 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			active, passive, _ := msrptest.Pipe()
			client, server := msrptest.PeerOn(active), msrptest.PeerOn(passive)
			defer client.Close()
			client.Path, server.Path = relay[:1], relay[1:]
			server.Remote = client.Path
			asked := make(chan struct{})
			go func() {
				defer close(asked)
				defer server.Close()
				for {
					f, err := server.Next(context.Background())
					if err != nil {
						return
					}
					server.Send(answer(f, tt.challenge, ha1), nil)
				}
			}()
			f, err := client.Auth(context.Background(), relay, "alice", tt.password, msrp.Header{Name: []byte("Expires"), Value: []byte("600")})
			require.NoError(t, err)
			require.Equal(t, tt.status, f.Status)
			client.Close()
			<-asked
			if tt.status != 200 {
				return
			}
			use, err := f.UsePath()
			require.NoError(t, err)
			require.Equal(t, relay[:1], use)
		})
	}
}

func answer(f *msrptest.Frame, challenge, ha1 string) *msrp.Frame {
	r := &msrp.Frame{TransactionID: f.TransactionID, Status: 400, ToPath: f.FromPath, FromPath: f.ToPath}
	switch credentials, err := digest.ParseCredentials(string(f.Value("Authorization"))); {
	case string(f.Method) != msrp.MethodAuth || string(f.Value("Expires")) != "600":
	case challenge == "" || err == nil && credentials.Verify(msrp.MethodAuth, "msrp://relay.example.com;tcp", ha1):
		r.Status = 200
		r.Add("Use-Path", strings.Fields(string(f.ToPath))[0])
	case err == nil:
		r.Status = 403
	default:
		r.Status = 401
		r.Add("WWW-Authenticate", challenge)
	}
	return r
}
