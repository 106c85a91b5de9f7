package exchange

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// ReadCSV reads trusted peers from a CSV file (RFC 4180) in UTF-8, as [WriteCSV] writes them: the first line names the columns, in any order; all but
// fingerprint may be missing. Without a column trust all keys are VerifiedManually, since that is what Blink's list means. The package's
// documentation has the columns.
//
// An unknown column, or one that stands twice, is an error, and nothing is read. Bad lines are left out, and told by a [*LineError] each, joined: the
// entries are good also with an error. The error is ErrTooManyFaults, ErrTooLarge or the reader's when reading ended before the file did.
func ReadCSV(r io.Reader) ([]Entry, error) {
	data, err := readAll(r)
	if err != nil {
		return nil, err
	}
	bounded := &rationed{data: bytes.TrimPrefix(data, []byte("\uFEFF")), left: maxRow}
	rows := csv.NewReader(bounded)
	header, err := rows.Read()
	if err != nil {
		return nil, &LineError{1, "no line with the names of the columns"}
	}
	names, err := readHeader(header)
	if err != nil {
		return nil, err
	}
	var file reading
	for !file.ended {
		bounded.left = maxRow
		row, err := rows.Read()
		if err == io.EOF {
			break
		}
		var bad *csv.ParseError
		switch {
		case err == nil:
			line, _ := rows.FieldPos(0)
			file.addRow(line, names, row)
		case errors.As(err, &bad):
			file.fault(bad.StartLine, bad.Err.Error())
		default:
			file.end(err)
		}
	}
	return file.result()
}

// rationed gives at most so many bytes until it gets the next ration.
type rationed struct {
	data []byte
	left int
}

func (r *rationed) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.data[:min(r.left, len(r.data))])
	if n == 0 && len(p) > 0 {
		return 0, ErrTooLarge
	}
	r.data, r.left = r.data[n:], r.left-n
	return n, nil
}

// readHeader returns the columns in the order of the header.
func readHeader(header []string) ([]column, error) {
	var found []column
	seen := make(map[int]bool)
	for i, name := range header {
		c := columnOf(strings.TrimSpace(name))
		if c < 0 || seen[c] {
			return nil, &LineError{1, fmt.Sprintf("column %d is unknown or stands twice", i+1)}
		}
		seen[c] = true
		found = append(found, columns[c])
	}
	if !seen[0] {
		return nil, &LineError{1, "no column fingerprint"}
	}
	return found, nil
}

func (r *reading) addRow(line int, columns []column, row []string) {
	e := trustedPeer(line)
	for i, c := range columns {
		if err := c.set(&e, unguard(row[i])); err != nil {
			r.fault(line, c.name+" "+err.Error())
			return
		}
	}
	r.add(e)
}

// WriteCSV writes trusted peers as a CSV file (RFC 4180) with all columns, in the order of the entries; [ReadCSV] reads the same, but for Account and
// Protocol, which are left out, and CRLF inside a text, which becomes LF.
//
// A peer chooses its name, and spreadsheets run cells that begin with =, +, - or @. Such a text gets an apostrophe before that character, also where
// a spreadsheet that takes another separator than the comma would begin a cell; ReadCSV takes it away again. Nothing is written if an entry cannot
// be: the error is an [*EntryError], ErrTooLarge, or the writer's.
func WriteCSV(w io.Writer, entries []Entry) error {
	var names []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	var rows *csv.Writer
	return write(w, entries, strings.Join(names, ",")+"\r\n", func(file *bytes.Buffer, e Entry) error {
		var row []string
		for _, c := range columns {
			row = append(row, guard(strings.ReplaceAll(c.text(e), "\r\n", "\n")))
		}
		if rows == nil {
			rows = csv.NewWriter(file)
		}
		if err := rows.Write(row); err != nil {
			return err
		}
		rows.Flush()
		file.Truncate(file.Len() - len("\n")) // UseCRLF would change the texts too
		file.WriteString("\r\n")
		return rows.Error()
	}, "")
}

// What a spreadsheet would run, at the beginning of a text or behind what separates cells somewhere, bare and behind an apostrophe. The wide forms of
// the four characters count too.
const signs = "=+-@＝＋－＠"

var (
	formula = regexp.MustCompile(`((?:^|[,;|"\t\r\n])\s*)('*[=+\-@＝＋－＠])`)
	guarded = regexp.MustCompile(`((?:^|[,;|"\t\r\n])\s*)'('*[=+\-@＝＋－＠])`)
)

func guard(text string) string {
	if !strings.ContainsAny(text, signs) {
		return text
	}
	return formula.ReplaceAllString(text, "$1'$2")
}

func unguard(text string) string {
	if !strings.ContainsAny(text, signs) {
		return text
	}
	return guarded.ReplaceAllString(text, "$1$2")
}
