package command_test

import (
	"context"
	"fmt"

	"github.com/otrchat/otrchat/notify/internal/command"
)

// A program gets its text on the standard input. One that is not there is an error before anything runs.
func Example() {
	say := func(ctx context.Context, program, text string) error {
		path, err := command.Find(program)
		if err != nil {
			return err
		}
		_, err = (&command.Command{Path: path, Stdin: text}).Run(ctx)
		return err
	}
	fmt.Println(say(context.Background(), "no-such-synthesiser", "Bob uses another key."))
	// Output: exec: "no-such-synthesiser": executable file not found in $PATH
}
