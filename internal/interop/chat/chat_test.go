// Package chat lets the facade talk to libotr over a real SIP call and MSRP session on loopback.
package chat

import (
	"context"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/internal/interop/libotr"
	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/internal/quiet"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/otrsession"
	"github.com/otrchat/otrchat/sip"
)

func TestMain(m *testing.M) { leakcheck.Main(m, quiet.Stdout) }

const patience = 30 * time.Second

// talk is a chat of the facade's with a bare SIP and MSRP peer whose OTR is libotr.
type talk struct {
	t       *testing.T
	us      *otrchat.EncryptedChat
	them    *libotr.Peer
	session *msrp.Session
	events  []libotr.Event
}

func meet(t *testing.T, policy otrchat.Policy) *talk {
	them := libotr.Start(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	agent, err := sip.New(&sip.Options{Address: "sip:bob@127.0.0.1"})
	require.NoError(t, err)
	t.Cleanup(func() { agent.Close() })
	at, err := agent.Listen(ctx, "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	endpoint, err := msrp.New(&msrp.Options{Host: "127.0.0.1:2855"}) // it only dials
	require.NoError(t, err)
	t.Cleanup(func() { endpoint.Close() })
	key, err := otrsession.GenerateKey()
	require.NoError(t, err)
	client, err := otrchat.New(&otrchat.Options{Address: "sip:alice@127.0.0.1", Key: key, Policy: policy})
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	_, err = client.Listen(ctx, "tcp", "127.0.0.1:0", "127.0.0.1:0")
	require.NoError(t, err)

	called := make(chan *otrchat.EncryptedChat, 1)
	go func() {
		chat, err := client.Call(ctx, "sip:bob@"+at.String()+";transport=tcp")
		if err != nil {
			t.Error(err)
		}
		called <- chat
	}()
	i, err := agent.Accept(ctx)
	require.NoError(t, err)
	session, err := endpoint.NewSession(nil)
	require.NoError(t, err)
	call, err := i.Answer(ctx, &sip.Media{Path: session.LocalPath().Strings(), AcceptTypes: []string{"text/plain"}, Setup: sip.SetupActive})
	require.NoError(t, err)
	path, err := msrp.ParsePath(strings.Join(call.Remote().Path, " "))
	require.NoError(t, err)
	require.NoError(t, session.Connect(ctx, path, msrp.Active, nil))
	us := <-called
	require.NotNil(t, us)
	return &talk{t: t, us: us, them: them, session: session}
}

// did sends what libotr wants to send, and keeps its other events.
func (k *talk) did(events []libotr.Event) {
	k.t.Helper()
	for _, e := range events {
		if e.Event != "inject" {
			k.events = append(k.events, e)
			continue
		}
		_, err := k.session.Send(context.Background(), &msrp.Message{ContentType: "text/plain;charset=utf-8", Body: e.Message, FailureReport: msrp.No})
		require.NoError(k.t, err)
	}
}

// until hands libotr what comes over MSRP until an event fits.
func (k *talk) until(fits func(libotr.Event) bool) libotr.Event {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		for i, e := range k.events {
			if fits(e) {
				k.events = k.events[i+1:]
				return e
			}
		}
		m, err := k.session.Receive(ctx)
		require.NoError(k.t, err)
		k.did(k.them.Receive(m.Body))
	}
}

func state(s string) func(libotr.Event) bool {
	return func(e libotr.Event) bool { return e.Event == "state" && e.State == s }
}

func result(s string) func(libotr.Event) bool {
	return func(e libotr.Event) bool { return e.Event == "smp" && e.Result == s }
}

// next returns the facade's next event of a kind.
func next[E otrchat.Event](k *talk) E {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		e, err := k.us.Receive(ctx)
		require.NoError(k.t, err)
		if want, ok := e.(E); ok {
			return want
		}
	}
}

// outcome returns how the facade's SMP ended.
func (k *talk) outcome() otrchat.SMP {
	k.t.Helper()
	for {
		if e := next[otrchat.SMP](k); e.Progress != otrchat.SMPAnswered {
			return e
		}
	}
}

// encrypted waits for the AKE that the facade begins by itself.
func (k *talk) encrypted() {
	k.t.Helper()
	e := k.until(state("Encrypted"))
	change := next[otrchat.SecurityChange](k)
	require.Equal(k.t, otrchat.Unverified, change.Security)
	require.Equal(k.t, k.them.Fingerprint, hex.EncodeToString(change.Fingerprint[:]))
	own := k.us.LocalFingerprint()
	require.Equal(k.t, hex.EncodeToString(own[:]), strings.ToLower(e.Fingerprint))
}

func TestMessages(t *testing.T) {
	ctx := context.Background()
	k := meet(t, otrchat.Always)
	k.encrypted()
	for _, text := range []string{"hello", "grüße, 世界", strings.Repeat("long ", 10_000)} {
		d, err := k.us.Send(ctx, text)
		require.NoError(t, err)
		require.True(t, d.Encrypted)
		got := k.until(func(e libotr.Event) bool { return e.Event == "text" })
		require.Equal(t, text, string(got.Text))
		require.True(t, got.Encrypted)
		k.did(k.them.Send("re: " + text))
		m := next[otrchat.Message](k)
		require.Equal(t, "re: "+text, m.Text)
		require.True(t, m.Encrypted)
	}
}

func TestLibotrAsks(t *testing.T) {
	ctx := context.Background()
	k := meet(t, otrchat.Opportunistic)
	k.encrypted()
	require.NoError(t, k.us.StopEncryption(ctx))
	k.until(state("Finished"))
	k.did(k.them.End())
	k.did(k.them.Query())
	k.until(state("Encrypted"))
	require.Equal(t, otrchat.NotEncrypted, next[otrchat.SecurityChange](k).Security)
	require.Equal(t, otrchat.Unverified, next[otrchat.SecurityChange](k).Security)
}

func TestSMP(t *testing.T) {
	ctx := context.Background()
	for name, secret := range map[string]string{"same": "Prague", "different": "Vienna"} {
		t.Run(name, func(t *testing.T) {
			k := meet(t, otrchat.Always)
			k.encrypted()
			require.NoError(t, k.us.StartSMP(ctx, "where?", "Prague"))
			asked := k.until(result("asked"))
			require.Equal(t, "where?", string(asked.Question))
			k.did(k.them.AnswerSMP(secret))
			if secret != "Prague" {
				k.until(result("failed"))
				require.Equal(t, otrchat.SMPFailed, k.outcome().Progress)
				require.Equal(t, otrchat.Unverified, k.us.Security())
				return
			}
			k.until(result("succeeded"))
			require.Equal(t, otrchat.SMP{Progress: otrchat.SMPSucceeded, Verified: true}, k.outcome())

			k.did(k.them.StartSMP("and when?", "May"))
			require.Equal(t, otrchat.SMP{Progress: otrchat.SMPAsked, Question: "and when?"}, next[otrchat.SMP](k))
			require.NoError(t, k.us.AnswerSMP(ctx, "May"))
			k.until(result("succeeded"))
			require.Equal(t, otrchat.SMPSucceeded, k.outcome().Progress)
		})
	}
}

func TestLibotrEnds(t *testing.T) {
	k := meet(t, otrchat.Opportunistic)
	k.encrypted()
	k.did(k.them.End())
	require.Equal(t, otrchat.Ended, next[otrchat.SecurityChange](k).Security)
	_, err := k.us.Send(context.Background(), "secret")
	require.ErrorIs(t, err, otrchat.ErrEncryptionEnded)
}
