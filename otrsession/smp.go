package otrsession

import (
	"strings"
	"unicode/utf8"

	"github.com/coyim/otr3"
)

// maxQuestion bounds an SMP question, in bytes.
const maxQuestion = 4096

// smpState tells where the run of the Socialist Millionaires' Protocol stands
// (version 3 specification, "Socialist Millionaires' Protocol (SMP)").
type smpState int

const (
	smpIdle      smpState = iota
	smpStarted            // we asked
	smpConfirmed          // we asked, and the peer answered
	smpAsked              // the peer asked
	smpAnswered           // the peer asked, and we answered
)

// StartSMP asks the peer to prove that it knows a secret that both users share,
// without giving anything of it away. The question is optional, UTF-8 without
// NUL, at most 4,096 bytes, and the peer's user gets to see it. Some clients
// (those on otr4j, such as Jitsi) get secrets wrong that are not ASCII; white
// space and case count.
//
// Errors: ErrSMPInProgress, ErrEmptySecret, ErrNUL, ErrNotUTF8, ErrTooLarge,
// and those of Encrypt.
func (s *Session) StartSMP(question string, secret []byte) (Step, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.encryptable(); err != nil {
		return Step{}, err
	}
	switch {
	case s.smp != smpIdle:
		return Step{}, ErrSMPInProgress
	case len(secret) == 0:
		return Step{}, ErrEmptySecret
	case strings.IndexByte(question, 0) >= 0:
		return Step{}, ErrNUL
	case !utf8.ValidString(question):
		return Step{}, ErrNotUTF8
	case len(question) > maxQuestion:
		return Step{}, ErrTooLarge
	}
	step, err := s.sendLive(s.live.startSMP(question, secret))
	if err == nil {
		s.smp = smpStarted
	}
	return step, err
}

// AnswerSMP gives our user's secret after EventSMPAsked. Errors: ErrNoSMP where
// the peer has not asked, ErrEmptySecret, and those of Encrypt.
func (s *Session) AnswerSMP(secret []byte) (Step, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.encryptable(); err != nil {
		return Step{}, err
	}
	switch {
	case s.smp != smpAsked:
		return Step{}, ErrNoSMP
	case len(secret) == 0:
		return Step{}, ErrEmptySecret
	}
	step, err := s.sendLive(s.live.answerSMP(secret))
	if err != nil {
		return step, err
	}
	s.smp = smpAnswered
	s.reportSMP(&step)
	return step, nil
}

// AbortSMP ends the run in progress without a result, and tells the peer.
// Errors: ErrNoSMP where there is none, and those of Encrypt.
func (s *Session) AbortSMP() (Step, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.encryptable(); err != nil {
		return Step{}, err
	}
	if s.smp == smpIdle {
		return Step{}, ErrNoSMP
	}
	step, err := s.sendLive(s.live.abortSMP())
	if err == nil {
		s.dropSMP(&step)
	}
	return step, err
}

// reportSMP turns what otr3 reported into events.
func (s *Session) reportSMP(step *Step) {
	for _, news := range s.live.smpNews() {
		s.smpNews(step, news)
	}
}

func (s *Session) smpNews(step *Step, news smpNews) {
	switch news.event {
	case otr3.SMPEventAskForAnswer:
		s.smp = smpAsked
		step.Events = append(step.Events, Event{
			Type: EventSMPAsked, Fingerprint: s.remote,
			Question: printable(news.question, maxQuestion), HasQuestion: true,
		})
	case otr3.SMPEventAskForSecret:
		s.smpIs(step, smpAsked, EventSMPAsked)
	case otr3.SMPEventInProgress:
		s.smpIs(step, smpConfirmed, EventSMPProgress)
	case otr3.SMPEventSuccess:
		s.smpEnds(step, EventSMPSucceeded)
	case otr3.SMPEventFailure, otr3.SMPEventCheated:
		s.smpEnds(step, EventSMPFailed)
	case otr3.SMPEventAbort:
		if s.smp == smpConfirmed {
			// All that was left for the peer was to compare: otr3 and potr
			// abort when the secrets differ.
			s.smpEnds(step, EventSMPFailed)
			return
		}
		s.smpEnds(step, EventSMPAborted)
	case otr3.SMPEventError:
		s.smpEnds(step, EventSMPAborted)
	}
}

func (s *Session) smpIs(step *Step, state smpState, t EventType) {
	s.smp = state
	step.Events = append(step.Events, Event{Type: t, Fingerprint: s.remote})
}

// smpEnds reports the end of a run, if there is one.
func (s *Session) smpEnds(step *Step, t EventType) {
	if s.smp != smpIdle {
		s.smpIs(step, smpIdle, t)
	}
}

// dropSMP ends a run whose conversation ends.
func (s *Session) dropSMP(step *Step) { s.smpEnds(step, EventSMPAborted) }

// cheated ends a run in which the peer broke the protocol.
func (s *Session) cheated(step *Step) {
	if s.smp == smpIdle {
		return
	}
	send, err := s.live.abortSMP()
	if s.put(step, send, err) == nil {
		s.smpEnds(step, EventSMPFailed)
	}
}
