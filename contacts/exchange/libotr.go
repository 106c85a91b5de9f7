package exchange

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/otrchat/otrchat/contacts"
)

// maxLine is how many bytes libotr takes for one line, its end included.
const maxLine = 999

// ReadLibotr reads the fingerprints file of libotr (otr.fingerprints in Pidgin and others): a line for each key, with the user name, account,
// protocol, 40 hexadecimal digits and the trust, separated by tabs. No trust, or an empty one, means Unverified, "smp" VerifiedSMP, any other text
// VerifiedManually. A key that stands more than once for the same user, account and protocol has the trust that is told last.
//
// Bad lines are left out, and told by a [*LineError] each, joined: the entries are good also with an error. The error is ErrTooManyFaults,
// ErrTooLarge or the reader's when reading ended before the file did. It is stricter than libotr, which passes over what it does not understand,
// reads digits that are none as 0, and knows no UTF-8: see the list in the package's documentation.
func ReadLibotr(r io.Reader) ([]Entry, error) {
	data, err := readAll(r)
	if err != nil {
		return nil, err
	}
	var file reading
	known := make(map[Entry]int) // where an entry stands, by what makes it the same key of the same user
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		if strings.TrimRight(line, "\r\n") == "" {
			continue
		}
		e, reason := parseLibotr(line)
		if reason != "" {
			file.fault(number, reason)
		} else if i, twice := known[identity(e)]; twice {
			file.entries[i].Key.Trust = e.Key.Trust
		} else {
			before := len(file.entries)
			e.Line = number
			if file.add(e); len(file.entries) > before {
				known[identity(e)] = before
			}
		}
		if file.ended {
			break
		}
	}
	return file.result()
}

func identity(e Entry) Entry {
	return Entry{Address: e.Address, Account: e.Account, Protocol: e.Protocol, Key: contacts.Key{Fingerprint: e.Key.Fingerprint}}
}

// parseLibotr reads a line, its end included, or says what is wrong with it.
func parseLibotr(line string) (e Entry, reason string) {
	text, ended := strings.CutSuffix(line, "\n")
	text = strings.TrimSuffix(text, "\r")
	fields := strings.SplitN(text, "\t", 6)
	switch {
	case !ended:
		return e, "it has no end: the file was cut"
	case len(line) > maxLine:
		return e, fmt.Sprintf("longer than %d bytes", maxLine)
	case strings.ContainsAny(text, "\r\x00"):
		return e, "NUL, or a carriage return that is not at the end"
	case len(fields) < 4 || len(fields) > 5:
		return e, "not four or five fields with tabs between them"
	}
	e.Address, e.Account, e.Protocol = fields[0], fields[1], fields[2]
	if err := plain(e); err != nil {
		return e, err.Error()
	}
	var err error
	if e.Key.Fingerprint, err = contacts.ParseFingerprint(fields[3]); err != nil || len(fields[3]) != 40 {
		return e, "the fingerprint is not 40 hexadecimal digits, or all are 0"
	}
	if len(fields) == 5 {
		e.Key.Trust = libotrTrust(fields[4])
	}
	return e, ""
}

// plain tells whether the user, account and protocol can stand in a line.
func plain(e Entry) error {
	for _, field := range []string{e.Address, e.Account, e.Protocol} {
		switch {
		case field == "":
			return errors.New("the user name, account or protocol is empty")
		case strings.ContainsFunc(field, unicode.IsControl) || strings.HasPrefix(field, "\uFEFF"):
			return errors.New("the user name, account or protocol has a control character")
		}
	}
	return nil
}

func libotrTrust(text string) contacts.Trust {
	switch text {
	case "":
		return contacts.Unverified
	case "smp":
		return contacts.VerifiedSMP
	}
	return contacts.VerifiedManually
}

// WriteLibotr writes what [ReadLibotr] and libotr read, in the order of the entries: Address is the user name, and Account and Protocol must be set.
// Names, notes and times are left out. libotr knows no revocation: revoked keys are left out too, so that the other program warns of them as of any
// new key. Nothing is written if an entry cannot be: the error is an [*EntryError], ErrTooLarge, or the writer's.
func WriteLibotr(w io.Writer, entries []Entry) error {
	words := map[contacts.Trust]string{contacts.VerifiedSMP: "smp", contacts.VerifiedManually: "verified"}
	return write(w, entries, "", func(file *bytes.Buffer, e Entry) error {
		if e.Key.Trust == contacts.Revoked {
			return nil
		}
		if err := plain(e); err != nil {
			return err
		}
		before := file.Len()
		fmt.Fprintf(file, "%s\t%s\t%s\t%s\t%s\n", e.Address, e.Account, e.Protocol, hex.EncodeToString(e.Key.Fingerprint[:]), words[e.Key.Trust])
		if file.Len()-before > maxLine {
			return fmt.Errorf("longer than %d bytes", maxLine)
		}
		return nil
	}, "")
}
