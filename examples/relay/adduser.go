package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

const adduserUsage = "relay adduser [-users FILE] -realm REALM NAME      asks for the password, or reads it from standard input\n\n"

// addUser is the subcommand: relay adduser -users FILE -realm REALM NAME. The password never stands on the command line, where other users of the
// machine could read it.
func addUser(ctx context.Context, args []string, stdin *os.File, stderr io.Writer) error {
	flags := flag.NewFlagSet("relay adduser", flag.ContinueOnError)
	path := flags.String("users", "users", "the users `file`, made if it is not there")
	realm := flags.String("realm", "", "the `realm` of the relay")
	if err := parseFlags(flags, args, stderr, adduserUsage); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("adduser wants one name, after the flags")
	}
	who := user{flags.Arg(0), *realm}
	if err := who.check(); err != nil {
		return err
	}
	password, err := readPassword(ctx, stdin, stderr)
	if err != nil {
		return err
	}
	return who.add(*path, password)
}

// readPassword asks at a terminal, and else takes the first line of stdin.
func readPassword(ctx context.Context, stdin *os.File, prompt io.Writer) (password string, err error) {
	if term.IsTerminal(int(stdin.Fd())) {
		password, err = askPassword(ctx, stdin, prompt)
	} else if password, err = bufio.NewReader(stdin).ReadString('\n'); err == io.EOF {
		err = nil
	}
	password = strings.TrimRight(password, "\r\n")
	if err == nil && password == "" {
		err = errors.New("an empty password")
	}
	return password, err
}

// askPassword asks twice, and the terminal does not show what is typed. Who gives up with Ctrl-C, which ends ctx, gets the terminal back as it was.
func askPassword(ctx context.Context, terminal *os.File, prompt io.Writer) (string, error) {
	fd := int(terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	defer context.AfterFunc(ctx, func() {
		_ = term.Restore(fd, before)
		fmt.Fprintln(prompt)
		os.Exit(1) // nothing else ends the waiting for a line
	})()
	var typed [2]string
	for i, question := range []string{"Password: ", "Again: "} {
		fmt.Fprint(prompt, question)
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(prompt)
		if err != nil {
			return "", err
		}
		typed[i] = string(b)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two passwords differ")
	}
	return typed[0], nil
}

// add appends a line to the file, in one Write: a relay that reads the file meanwhile sees all of it or nothing, and owner and mode stay.
func (u user) add(path, password string) error {
	text, err := readPrivate(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	all, err := parseUsers(text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if _, known := all[u]; known {
		return fmt.Errorf("%s: the user is there already; for a new password remove the line first", path)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	line := u.line(password)
	if n := len(text); n > 0 && text[n-1] != '\n' {
		line = "\n" + line
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Close())
}
