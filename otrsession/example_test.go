package otrsession_test

import (
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"

	"github.com/otrchat/otrchat/internal/quiet"
	"github.com/otrchat/otrchat/otrsession"
)

// person is one end of a chat.
type person struct {
	name  string
	otr   *otrsession.Session
	other *person
}

// wire holds messages on their way.
var wire []func()

// do hands on what came out of a step, and waits until the wire is empty.
func (p *person) do(step otrsession.Step, err error) {
	p.handle(step, err)
	for len(wire) > 0 {
		deliver := wire[0]
		wire = wire[1:]
		deliver()
	}
}

func (p *person) handle(step otrsession.Step, err error) {
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range step.Send {
		wire = append(wire, func() { p.other.handle(p.other.otr.Decrypt(m)) })
	}
	for _, e := range step.Events {
		fmt.Printf("%s: %v\n", p.name, e.Type)
	}
	if step.HasMessage {
		fmt.Printf("%s: %q, encrypted: %v\n", p.name, step.Plaintext, step.Encrypted)
	}
}

func newPerson(name string) *person {
	key, err := otrsession.GenerateKey()
	if err != nil {
		log.Fatal(err)
	}
	session, err := otrsession.New(&otrsession.Options{Key: key})
	if err != nil {
		log.Fatal(err)
	}
	return &person{name: name, otr: session}
}

// Two people go off the record, make sure of each other, and part.
func Example() {
	defer quiet.Stdout()()

	alice, bob := newPerson("Alice"), newPerson("Bob")
	alice.other, bob.other = bob, alice

	alice.do(alice.otr.Start())
	alice.do(alice.otr.Encrypt([]byte("Hello, Bob!")))
	alice.do(alice.otr.StartSMP("Where did we meet?", []byte("in Rome")))
	bob.do(bob.otr.AnswerSMP([]byte("in Rome")))
	alice.do(alice.otr.End())
	_, err := bob.otr.Encrypt([]byte("Wait!"))
	fmt.Println("Bob:", err)
	// Output:
	// Alice: encrypted
	// Bob: encrypted
	// Bob: "Hello, Bob!", encrypted: true
	// Bob: SMP asked
	// Alice: SMP progress
	// Bob: SMP succeeded
	// Alice: SMP succeeded
	// Bob: finished
	// Bob: otrsession: the peer ended the encrypted conversation
}

// A key is made when a program runs for the first time.
func ExampleLoadKey() {
	dir, err := os.MkdirTemp("", "otr")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "otr.private_key")

	for range 2 {
		key, err := otrsession.LoadKey(path)
		if errors.Is(err, fs.ErrNotExist) {
			fmt.Println("new key")
			if key, err = otrsession.GenerateKey(); err == nil {
				err = otrsession.SaveKey(path, key)
			}
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("a fingerprint of", len(key.Fingerprint()), "bytes")
	}
	// Output:
	// new key
	// a fingerprint of 20 bytes
	// a fingerprint of 20 bytes
}

// An application that wants no OTR does not show what it cannot read.
func ExampleClassify() {
	for _, message := range []string{"Hello!", "?OTRv3? Bob would like to talk off the record.", "?OTR:AAMC…"} {
		fmt.Println(otrsession.Classify([]byte(message)).IsProtocol())
	}
	// Output:
	// false
	// true
	// true
}

func ExampleParseFingerprint() {
	f, err := otrsession.ParseFingerprint("00112233445566778899aabbccddeeff01234567")
	fmt.Println(f, err)
	// Output:
	// 00112233 44556677 8899AABB CCDDEEFF 01234567 <nil>
}
