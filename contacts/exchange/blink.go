package exchange

import (
	"io"

	"github.com/otrchat/otrchat/contacts"
)

// The classes of Blink's that a file of trusted peers is made of.
const (
	blinkSet  global = "sipsimple.streams.msrp.chat.OTRTrustedPeerSet"
	blinkPeer global = "sipsimple.streams.msrp.chat.OTRTrustedPeer"
)

// trusted is an OTRTrustedPeer, and trustedSet an OTRTrustedPeerSet, which has its peers by their fingerprints.
type (
	trusted    struct{ fingerprint, description string }
	trustedSet struct{ peers *dict }
)

// ReadBlink reads the trusted peers that Blink itself keeps: the file otr.trusted in its folder, as Blink with Python 3 writes it. Line is the number
// of the peer. A name is what the user called the owner of the key; there is no address. All keys are VerifiedManually: Blink does not tell how they
// were verified.
//
// The file is a pickle, which is a program that makes objects; this reader knows the two classes of Blink's and text, and refuses everything else. A
// peer that is no good is left out, and told by a [*LineError], joined: the entries are good also with an error. A file that is damaged or is
// something else is a LineError too, and nothing is read.
func ReadBlink(r io.Reader) ([]Entry, error) {
	data, err := readAll(r)
	if err != nil {
		return nil, err
	}
	made, err := unpickle(data)
	set, ok := made.(*trustedSet)
	if err != nil || !ok {
		return nil, &LineError{1, "not a set of trusted peers as Blink writes it"}
	}
	var file reading
	for i, fingerprint := range set.peers.keys {
		if file.ended {
			break
		}
		e := trustedPeer(i + 1)
		peer, ok := set.peers.values[fingerprint].(*trusted)
		if !ok || peer.fingerprint != fingerprint {
			file.fault(e.Line, "no trusted peer")
			continue
		}
		if e.Key.Fingerprint, err = contacts.ParseFingerprint(fingerprint); err != nil {
			file.fault(e.Line, "the fingerprint is not 40 hexadecimal digits, or all are 0")
			continue
		}
		e.Name = peer.description
		file.add(e)
	}
	return file.result()
}
