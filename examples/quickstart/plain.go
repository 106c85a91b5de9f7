package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/msrp"
)

// plain is step 6. With the policy Always, Alice's program would send nothing but the request.
func (s *story) plain(ctx context.Context) error {
	carol, err := s.newPeer(ctx, "Carol", false)
	if err != nil {
		return err
	}
	alices, carols, err := connect(ctx, s.alice, carol.at, carol.answer)
	if err != nil {
		return err
	}
	request, err := carols.Receive(ctx)
	if err != nil {
		return err
	}
	line, _, _ := strings.Cut(string(request.Body), "\n")
	s.show("Carol's screen", line)
	s.say("This is how a program asks for encryption. Carol's does not know that, and does not answer.")
	notice, err := next[otrchat.SystemMessage](ctx, alices)
	if err != nil {
		return err
	}
	s.show("Alice's chat says", notice.Text)
	return errors.Join(
		check("Carol is asked for encryption", bytes.HasPrefix(request.Body, []byte("?OTR")), true),
		s.inClear(ctx, alices, carols, carol, otrchat.NotEncrypted))
}

// conference is step 7.
func (s *story) conference(ctx context.Context) error {
	s.say("A conference passes messages on to many, and OTR is made for two. Alice's program does not even ask for it.")
	room, err := s.newPeer(ctx, "Room", true)
	if err != nil {
		return err
	}
	alices, rooms, err := connect(ctx, s.alice, room.at, room.answer)
	if err != nil {
		return err
	}
	if err := s.inClear(ctx, alices, rooms, room, otrchat.Unavailable); err != nil {
		return err
	}
	traces, recorded := seen("?OTR", room.wire)
	s.show("Traces of OTR", times(traces, recorded))
	return errors.Join(check("?OTR on the wire", traces, 0), check("bytes that were not recorded", room.wire.Lost(), 0))
}

const hello, welcome = "Hello, this is Alice.", "Hello Alice, good to hear you."

// inClear sends a text each way, both the next that the other side gets, and hangs up.
func (s *story) inClear(ctx context.Context, alices *otrchat.EncryptedChat, session *msrp.Session, p *peer, lock otrchat.Security) error {
	delivery, err := alices.Send(ctx, hello)
	if err != nil {
		return err
	}
	heard, err := session.Receive(ctx)
	if err != nil {
		return err
	}
	if err := delivery.Wait(ctx); err != nil {
		return err
	}
	if _, err := session.Send(ctx, &msrp.Message{ContentType: "text/plain;charset=utf-8", Body: []byte(welcome)}); err != nil {
		return err
	}
	answer, err := next[otrchat.Message](ctx, alices)
	if err != nil {
		return err
	}
	s.show("Alice's lock", alices.Security())
	s.show("Alice types", hello)
	s.show(p.name+" answers", answer.Text)
	found, recorded := seen(hello, p.wire)
	s.show("Her words in clear", times(found, recorded))
	return errors.Join(
		check("Alice's lock", alices.Security(), lock),
		check("what "+p.name+" reads", string(heard.Body), hello),
		check("sent encrypted", delivery.Encrypted, false),
		check("what Alice reads", answer.Text, welcome),
		check("received encrypted", answer.Encrypted, false),
		check("Alice's words in clear on the wire", found, 1),
		alices.Shutdown(ctx))
}

// times says how often something was seen in what was recorded.
func times(n, recorded int) string {
	how := fmt.Sprint(n, " times")
	switch n {
	case 0:
		how = "not once"
	case 1:
		how = "once"
	}
	return fmt.Sprintf("%s in the %d bytes that passed the sockets", how, recorded)
}
