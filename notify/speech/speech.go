package speech

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/internal/command"
)

var (
	// ErrUnavailable says that this machine has none of the programs that were looked for; the error names them.
	ErrUnavailable = errors.New("speech: no synthesiser found")
	// ErrClosed says that the Notifier was closed. It wraps net.ErrClosed.
	ErrClosed = fmt.Errorf("speech: closed: %w", net.ErrClosed)
	// ErrBusy says that too many more urgent or earlier notifications wait for the voice.
	ErrBusy = errors.New("speech: too many notifications wait for the voice")
)

// Options set up a [Notifier].
type Options struct {
	// Program is the name of the one synthesiser to use: "spd-say", "espeak-ng", "espeak", "say" or "powershell". Default: all that this system may
	// have, one after the other until one has spoken.
	Program string
	// Language is that of the texts, as a BCP 47 tag such as "de" or "pt-BR". The program "say" does not heed it: there the user's own voice speaks.
	// Default: "en", as that of notify.English.
	Language string
	// Quiet is when nothing is spoken, however urgent. Default: never.
	Quiet Hours
}

// Notifier speaks notifications. Its methods may be called from any number of goroutines.
type Notifier struct {
	programs []program
	language string
	quiet    Hours
	voice    turn   // of Close in the end, which keeps it
	last     string // the program that spoke last; guarded by voice

	life  context.Context // ends with Close
	end   context.CancelFunc
	close sync.Once
}

var languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$`)

// New checks o and makes a Notifier; nil stands for the defaults. It looks for no program yet. The error names the option that is wrong.
func New(o *Options) (*Notifier, error) {
	if o == nil {
		o = &Options{}
	}
	s := &Notifier{programs: programsOf(runtime.GOOS), language: "en", quiet: o.Quiet}
	if o.Language != "" {
		s.language = o.Language
	}
	if !languageTag.MatchString(s.language) {
		return nil, errors.New("speech: Options.Language is not a language tag")
	}
	if err := o.Quiet.check(); err != nil {
		return nil, err
	}
	if o.Program != "" {
		p, ok := programNamed(o.Program)
		if !ok {
			return nil, fmt.Errorf("speech: Options.Program is none of %s", names(allPrograms))
		}
		s.programs = []program{p}
	}
	s.life, s.end = context.WithCancel(context.Background())
	return s, nil
}

// Name lists the programs that are there, in the order in which they are tried. The error is [ErrUnavailable].
func (s *Notifier) Name(context.Context) (string, error) {
	found, err := s.found()
	if err != nil {
		return "", err
	}
	return names(found), nil
}

// Notify speaks n.Spoken, or else n.Title and n.Body without n.Fingerprint, and returns when it was spoken. One notification is spoken at a time; of
// those that wait the most urgent comes next. When ctx ends, waiting and speaking end at once. In quiet hours, and for a text without a letter or
// digit, nothing is spoken and nothing is wrong. The error is ErrUnavailable, [ErrBusy], [ErrClosed], that of ctx, or says why each program has failed.
func (s *Notifier) Notify(ctx context.Context, n notify.Notification) error {
	text := words(n)
	if text == "" {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	err := s.inTurn(ctx, utterance{text: text, language: s.language, urgency: n.Urgency, limit: limit(text)})
	if err != nil && s.life.Err() != nil {
		return ErrClosed
	}
	return err
}

// Close ends what is spoken and what waits, and returns when no program of the Notifier's runs any more: within some three seconds, for one that
// hangs. It is idempotent and safe from any goroutine. The error is nil.
func (s *Notifier) Close() error {
	s.close.Do(func() {
		s.end()
		_ = s.voice.take(context.Background(), math.MaxInt) // for good; nothing is more urgent
	})
	return nil
}

func (s *Notifier) inTurn(ctx context.Context, u utterance) error {
	if err := s.voice.take(ctx, u.urgency); err != nil {
		return err
	}
	defer s.voice.release()
	if s.quiet.Contains(time.Now()) {
		return nil
	}
	return s.speak(ctx, u)
}

// speak tries the programs one after the other, and begins with the one that spoke last: one that hangs costs its time only once.
func (s *Notifier) speak(ctx context.Context, u utterance) error {
	found, err := s.found()
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range preferred(found, s.last) {
		if err = p.say(ctx, u); err == nil {
			s.last = p.name
			return nil
		}
		errs = append(errs, fmt.Errorf("speech: %w", err))
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

func (s *Notifier) found() (found []program, err error) {
	for _, p := range s.programs {
		if p.path, err = command.Find(p.name); err == nil {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%w: looked for %s in PATH", ErrUnavailable, names(s.programs))
	}
	return found, nil
}

// names lists programs in words.
func names(programs []program) string {
	all := make([]string, len(programs))
	for i, p := range programs {
		all[i] = p.name
	}
	return strings.Join(all, ", ")
}
