package exchange

import (
	"bytes"
	"encoding/json"
	"io"
	"unicode/utf8"
)

// ReadJSON reads trusted peers from a JSON file, as [WriteJSON] writes them: an array of objects whose members are strings, all but fingerprint
// optional. An object without trust is a key that is VerifiedManually, since that is what Blink's list means. The package's documentation has the
// members.
//
// Bad objects are left out, and told by a [*LineError] each, joined: the entries are good also with an error. What is no JSON ends reading, with a
// LineError. The error is ErrTooManyFaults, ErrTooLarge or the reader's when reading ended before the file did.
func ReadJSON(r io.Reader) ([]Entry, error) {
	data, err := readAll(r)
	if err != nil {
		return nil, err
	}
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	at := position{data: data, line: 1}
	if !utf8.Valid(data) {
		return nil, &LineError{at.lineOf(invalid(data)), "not UTF-8"}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if first, err := d.Token(); err != nil || first != json.Delim('[') {
		return nil, &LineError{1, "not a JSON array"}
	}
	var file reading
	for !file.ended && d.More() {
		line := at.lineOf(at.next(int(d.InputOffset())))
		var object json.RawMessage
		if d.Decode(&object) != nil {
			file.end(&LineError{line, "not JSON"})
			break
		}
		file.addObject(line, object)
	}
	if !file.ended {
		file.checkEnd(d, &at)
	}
	return file.result()
}

// checkEnd checks that the array ends, and the file with it.
func (r *reading) checkEnd(d *json.Decoder, at *position) {
	_, err := d.Token()
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			return
		}
	}
	r.end(&LineError{at.lineOf(at.next(int(d.InputOffset()))), "the array has no end, or more comes after it"})
}

func (r *reading) addObject(line int, object json.RawMessage) {
	var members map[string]string
	if len(object) > maxRow || json.Unmarshal(object, &members) != nil {
		r.fault(line, "not an object of strings, or too long")
		return
	}
	e := trustedPeer(line)
	for name := range members {
		if columnOf(name) < 0 {
			r.fault(line, "unknown member")
			return
		}
	}
	for _, c := range columns {
		text, present := members[c.name]
		if !present {
			continue
		}
		if err := c.set(&e, text); err != nil {
			r.fault(line, c.name+" "+err.Error())
			return
		}
	}
	r.add(e)
}

// position counts lines from one offset to the next.
type position struct {
	data         []byte
	offset, line int
}

// next returns the offset of what comes after a comma and space.
func (p *position) next(offset int) int {
	rest := bytes.TrimLeft(p.data[offset:], ", \t\r\n")
	return len(p.data) - len(rest)
}

// lineOf returns the line of an offset, which never goes back.
func (p *position) lineOf(offset int) int {
	p.line += bytes.Count(p.data[p.offset:offset], []byte("\n"))
	p.offset = offset
	return p.line
}

// invalid returns the offset of the first byte that is not UTF-8.
func invalid(data []byte) int {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(data)
}

// WriteJSON writes trusted peers as a JSON file, in the order of the entries; [ReadJSON] reads the same, but for Account and Protocol, which are left
// out. Fingerprints have the form that Blink compares. Nothing is written if an entry cannot be: the error is an [*EntryError], ErrTooLarge, or the
// writer's.
func WriteJSON(w io.Writer, entries []Entry) error {
	const head, tail = "[", "\n]\n"
	return write(w, entries, head, func(file *bytes.Buffer, e Entry) error {
		members := make(map[string]string)
		for _, c := range columns {
			if text := c.text(e); text != "" {
				members[c.name] = text
			}
		}
		object, err := json.Marshal(members)
		if err != nil {
			return err
		}
		if file.Len() > len(head) {
			file.WriteByte(',')
		}
		file.WriteString("\n  ")
		file.Write(object)
		return nil
	}, tail)
}
