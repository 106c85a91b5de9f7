package exchange

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Bounds of what a pickle may make: Python writes a thousand members of a dictionary at a time, remembers some six values for each peer, and makes a
// dictionary for each and two for the set.
const (
	maxStack = 4096
	maxMemo  = 8 * MaxEntries
	maxDicts = MaxEntries + 2
	maxClass = 100 // bytes of the name of a class, and of that of its module: it is copied each time that a class is asked for
)

var errPickle = errors.New("exchange: not a pickle of Blink's")

// pickle runs the program that a pickle is (PEP 307, PEP 3154; the opcodes are documented in Python's pickletools), as far as Blink's need it. What
// is wrong ends it, by err.
type pickle struct {
	rest  []byte
	stack []any // of string, global, tuple, *dict, mark, *trusted, *trustedSet
	memo  map[uint32]any
	dicts int // made so far
	err   error
}

type (
	global string   // a class, with its module
	tuple  []string // of no or one text
	mark   struct{}
	dict   struct {
		keys   []string // in order
		values map[string]any
	}
)

// unpickle returns what the program makes.
func unpickle(data []byte) (any, error) {
	p := &pickle{rest: data, memo: make(map[uint32]any)}
	for p.err == nil {
		if op := p.take(1); op != nil {
			if op[0] == '.' {
				break
			}
			p.do(op[0])
		}
	}
	made := p.pop()
	if p.err != nil || len(p.stack) > 0 || len(p.rest) > 0 {
		return nil, errPickle
	}
	return made, nil
}

func (p *pickle) do(op byte) {
	switch op {
	case 0x80: // PROTO
		if v := p.take(1); v != nil && (v[0] < 2 || v[0] > 5) {
			p.err = errPickle
		}
	case 0x95: // FRAME
		p.take(8)
	case 'X', 0x8c: // BINUNICODE, SHORT_BINUNICODE
		p.push(string(p.take(p.number(op == 'X'))))
	case 'q', 'r': // BINPUT, LONG_BINPUT
		p.remember(p.number(op == 'r'))
	case 0x94: // MEMOIZE
		p.remember(uint32(len(p.memo)))
	case 'h', 'j': // BINGET, LONG_BINGET
		value, ok := p.memo[p.number(op == 'j')]
		p.check(ok)
		p.push(value)
	case '(': // MARK
		p.push(mark{})
	case '}': // EMPTY_DICT
		p.dicts++
		p.check(p.dicts <= maxDicts)
		p.push(&dict{values: make(map[string]any)})
	case ')': // EMPTY_TUPLE
		p.push(tuple{})
	case 0x85: // TUPLE1
		text, ok := p.pop().(string)
		p.check(ok)
		p.push(tuple{text})
	default:
		p.make(op)
	}
}

// make runs the opcodes that make objects, and fill them.
func (p *pickle) make(op byte) {
	switch op {
	case 'c': // GLOBAL
		module, name := p.line(), p.line()
		p.class(module, name)
	case 0x93: // STACK_GLOBAL
		name, _ := p.pop().(string)
		module, _ := p.pop().(string)
		p.class(module, name)
	case 0x81: // NEWOBJ
		args, _ := p.pop().(tuple)
		p.check(args != nil && len(args) == 0 && p.pop() == blinkSet)
		p.push(&trustedSet{&dict{}})
	case 'R': // REDUCE
		args, _ := p.pop().(tuple)
		p.check(len(args) == 1 && p.pop() == blinkPeer)
		if p.err == nil {
			p.push(&trusted{fingerprint: args[0]})
		}
	case 's': // SETITEM
		value := p.pop()
		key := p.pop()
		p.set(key, value)
	case 'u': // SETITEMS
		p.setItems()
	case 'b': // BUILD
		p.build()
	default:
		p.err = errPickle
	}
}

func (p *pickle) class(module, name string) {
	if p.check(len(module) <= maxClass && len(name) <= maxClass); p.err == nil {
		p.push(global(module + "." + name))
	}
}

// build gives the object its members.
func (p *pickle) build() {
	state, ok := p.pop().(*dict)
	if p.check(ok); p.err != nil {
		return
	}
	switch object := p.top().(type) {
	case *trusted:
		object.description, ok = state.values["description"].(string)
	case *trustedSet:
		object.peers, ok = state.values["__data__"].(*dict)
	default:
		ok = false
	}
	p.check(ok)
}

// setItems gives the dictionary below the mark what is above it.
func (p *pickle) setItems() {
	at := len(p.stack) - 1
	for at >= 0 && p.stack[at] != (mark{}) {
		at--
	}
	if p.check(at >= 0); p.err != nil {
		return
	}
	items := p.stack[at+1:]
	p.stack = p.stack[:at]
	p.check(len(items)%2 == 0)
	for ; p.err == nil && len(items) > 0; items = items[2:] {
		p.set(items[0], items[1])
	}
}

// set gives the dictionary on the top an item.
func (p *pickle) set(key, value any) {
	d, ok := p.top().(*dict)
	name, text := key.(string)
	if p.check(ok && text); p.err != nil {
		return
	}
	if _, known := d.values[name]; !known {
		d.keys = append(d.keys, name)
	}
	d.values[name] = value
}

func (p *pickle) check(ok bool) {
	if !ok {
		p.err = errPickle
	}
}

func (p *pickle) push(value any) {
	p.check(len(p.stack) < maxStack)
	p.stack = append(p.stack, value)
}

func (p *pickle) top() any {
	if p.check(len(p.stack) > 0); p.err != nil {
		return nil
	}
	return p.stack[len(p.stack)-1]
}

func (p *pickle) pop() any {
	value := p.top()
	p.stack = p.stack[:max(len(p.stack)-1, 0)]
	return value
}

func (p *pickle) remember(index uint32) {
	p.check(len(p.memo) < maxMemo)
	p.memo[index] = p.top()
}

// take returns the next n bytes, or nil.
func (p *pickle) take(n uint32) []byte {
	if p.check(uint64(n) <= uint64(len(p.rest))); p.err != nil {
		return nil
	}
	taken := p.rest[:n]
	p.rest = p.rest[n:]
	return taken
}

// number reads one byte, or four.
func (p *pickle) number(long bool) uint32 {
	if long {
		if b := p.take(4); b != nil {
			return binary.LittleEndian.Uint32(b)
		}
	} else if b := p.take(1); b != nil {
		return uint32(b[0])
	}
	return 0
}

func (p *pickle) line() string {
	line, rest, found := bytes.Cut(p.rest, []byte("\n"))
	p.check(found)
	p.rest = rest
	return string(line)
}
