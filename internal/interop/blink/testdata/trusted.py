# Writes a set of trusted peers to standard output, as Blink (python3-sipsimple, sipsimple/streams/msrp/chat.py) pickles it into otr.trusted.
# Arguments: the pickle protocol, then a fingerprint and a description for each peer.
import pickle
import sys
import types


class OTRTrustedPeer(object):
    def __init__(self, fingerprint, description=''):
        self.__dict__['description'] = description
        fingerprints[self] = fingerprint

    def __reduce__(self):
        return self.__class__, (fingerprints[self],), self.__dict__


class OTRTrustedPeerSet(object):
    def __init__(self):
        self.__data__ = {}


fingerprints = {}  # Blink has the fingerprint in a descriptor, so it is no member of the object
name = 'sipsimple.streams.msrp.chat'
for i in range(1, 5):
    parent = '.'.join(name.split('.')[:i])
    sys.modules[parent] = types.ModuleType(parent)
for cls in OTRTrustedPeer, OTRTrustedPeerSet:
    cls.__module__ = name
    setattr(sys.modules[name], cls.__name__, cls)

peers = OTRTrustedPeerSet()
for fingerprint, description in zip(sys.argv[2::2], sys.argv[3::2]):
    peers.__data__[fingerprint] = OTRTrustedPeer(fingerprint, description)
sys.stdout.buffer.write(pickle.dumps(peers, int(sys.argv[1])))
