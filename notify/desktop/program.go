package desktop

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/internal/command"
	"github.com/otrchat/otrchat/notify/internal/plain"
)

// program is a medium that runs a program of the system. Its arguments are constant, and what is to be shown is its standard input alone: arguments can
// be read by other users of a machine, and have to be quoted.
type program struct {
	file  string
	says  string // what the program speaks to, for name
	args  []string
	input func(notify.Notification) string
}

func (p *program) show(ctx context.Context, n notify.Notification) error {
	path, err := p.find()
	if err != nil {
		return err
	}
	run := command.Command{Path: path, Args: p.args, Stdin: p.input(n), Hide: plain.Line(n.Title, maxTitle) + " " + plain.Text(n.Body, maxBody)}
	if _, err := run.Run(ctx); err != nil {
		return fmt.Errorf("desktop: %w", err)
	}
	return nil
}

func (p *program) name(context.Context) (string, error) {
	path, err := p.find()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s (%s)", path, p.says), nil
}

func (p *program) find() (string, error) {
	path, err := command.Find(p.file)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return path, nil
}

func (p *program) close() {}

func jsonText(fields map[string]string) string {
	text, _ := json.Marshal(fields) // strings cannot fail
	return string(text)
}
