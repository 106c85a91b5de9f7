package otrsession

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"

	"github.com/coyim/otr3"
)

// maxKeyFile bounds a key's text; one account takes about 1,300 bytes.
const maxKeyFile = 64 << 10

// Export writes the private key, in clear, as libotr and the programs on it
// (Pidgin, irssi, profanity) keep it in otr.private_key: one account named
// "otrchat" of the protocol "prpl-otrchat". To use the key there, put the
// account's name and protocol in their places. The zero Key gives ErrKeyFormat.
//
// It is not called MarshalText, by which loggers and JSON encoders would write
// private keys unasked.
func (k *Key) Export() ([]byte, error) {
	if k == nil || k.private == nil {
		return nil, ErrKeyFormat
	}
	var b bytes.Buffer
	b.WriteString("(privkeys\n (account\n(name \"otrchat\")\n(protocol prpl-otrchat)\n(private-key \n (dsa \n")
	d := k.private.PrivateKey
	for _, n := range []struct {
		name  string
		value *big.Int
	}{{"p", d.P}, {"q", d.Q}, {"g", d.G}, {"y", d.Y}, {"x", d.X}} {
		// The leading zero byte keeps libgcrypt from reading a minus sign.
		fmt.Fprintf(&b, "  (%s #00%X#)\n", n.name, n.value.Bytes())
	}
	b.WriteString("  )\n )\n )\n)\n")
	return b.Bytes(), nil
}

// ParseKey reads a private key in libotr's format (see Key.Export). The text
// has to hold exactly one account, whatever its name and protocol, and its
// numbers have to belong together; anything else is ErrKeyFormat.
func ParseKey(text []byte) (*Key, error) {
	if len(text) > maxKeyFile {
		return nil, ErrKeyFormat
	}
	// otr3 has a reader for this format, which some texts send into a
	// recursion without end.
	file, rest, ok := parseList(string(text), 0)
	if !ok || strings.TrimSpace(rest) != "" || file.name() != "privkeys" {
		return nil, ErrKeyFormat
	}
	if accounts := len(file.list) - 1; accounts != 1 {
		return nil, fmt.Errorf("%w: %d accounts in one text, want one", ErrKeyFormat, accounts)
	}
	private, ok := file.find("account").find("private-key").find("dsa").key()
	if !ok || !validKey(private) {
		return nil, ErrKeyFormat
	}
	return &Key{private}, nil
}

// validKey checks the sizes and that the public half belongs to the private.
func validKey(k *otr3.DSAPrivateKey) bool {
	d := k.PrivateKey
	for _, n := range []*big.Int{d.P, d.Q, d.G, d.X, d.Y} {
		if n == nil || n.Sign() <= 0 {
			return false
		}
	}
	if d.P.BitLen() != 1024 || d.Q.BitLen() != 160 || d.X.Cmp(d.Q) >= 0 || d.G.Cmp(d.P) >= 0 {
		return false
	}
	one := big.NewInt(1)
	return d.G.Cmp(one) > 0 &&
		new(big.Int).Exp(d.G, d.Q, d.P).Cmp(one) == 0 &&
		new(big.Int).Exp(d.G, d.X, d.P).Cmp(d.Y) == 0
}

// node is a part of an S-expression: a word as it is written, or a list.
type node struct {
	word string
	list []node
}

// maxDepth bounds lists in lists; a key has five.
const maxDepth = 8

// parseList reads "(…)" from the front of text, and returns what follows.
func parseList(text string, depth int) (n node, rest string, ok bool) {
	rest, ok = strings.CutPrefix(strings.TrimLeft(text, " \t\r\n"), "(")
	for ok && depth < maxDepth {
		rest = strings.TrimLeft(rest, " \t\r\n")
		if after, closed := strings.CutPrefix(rest, ")"); closed {
			return n, after, true
		}
		var element node
		if strings.HasPrefix(rest, "(") {
			element, rest, ok = parseList(rest, depth+1)
		} else {
			element.word, rest, ok = cutWord(rest)
		}
		n.list = append(n.list, element)
	}
	return node{}, "", false
}

// cutWord takes a token, a "string" or a #number# off the front.
func cutWord(text string) (word, rest string, ok bool) {
	end := 0
	switch {
	case text == "":
		return "", "", false
	case text[0] == '"':
		end = stringEnd(text)
	case text[0] == '#':
		end = strings.IndexByte(text[1:], '#') + 2
	default:
		end = strings.IndexAny(text, " \t\r\n()")
	}
	if end < 1 || text[0] == '#' && end < 2 {
		return "", "", false
	}
	return text[:end], text[end:], true
}

// stringEnd finds the end of a string in quotation marks, or -1.
func stringEnd(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// name is the first word of a list.
func (n node) name() string {
	if len(n.list) == 0 {
		return ""
	}
	return n.list[0].word
}

// find returns the first list in a list that has the name.
func (n node) find(name string) node {
	for _, element := range n.list {
		if element.name() == name {
			return element
		}
	}
	return node{}
}

// key reads the numbers of "(dsa (p #…#) (q #…#) (g #…#) (y #…#) (x #…#))".
func (n node) key() (k *otr3.DSAPrivateKey, ok bool) {
	if len(n.list) != 6 {
		return nil, false
	}
	k = new(otr3.DSAPrivateKey)
	d := &k.PrivateKey
	for name, to := range map[string]**big.Int{"p": &d.P, "q": &d.Q, "g": &d.G, "y": &d.Y, "x": &d.X} {
		element := n.find(name)
		if len(element.list) != 2 {
			return nil, false
		}
		digits, isNumber := strings.CutPrefix(element.list[1].word, "#")
		b, err := hex.DecodeString(strings.TrimSuffix(digits, "#"))
		if !isNumber || err != nil {
			return nil, false
		}
		*to = new(big.Int).SetBytes(b)
	}
	k.DSAPublicKey.PublicKey = d.PublicKey
	return k, true
}
