package otrchat_test

import (
	"context"
	"fmt"
	"log"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/contacts/filestore"
	"github.com/otrchat/otrchat/internal/quiet"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/desktop"
	"github.com/otrchat/otrchat/notify/growl"
	"github.com/otrchat/otrchat/notify/speech"
	"github.com/otrchat/otrchat/otrsession"
)

// listen makes a client of a user on this machine, and tells the address to call it at.
func listen(name string) (client *otrchat.Client, at string) {
	key, err := otrsession.GenerateKey() // otrsession.SaveKey and LoadKey keep it
	if err != nil {
		log.Fatal(err)
	}
	client, err = otrchat.New(&otrchat.Options{Address: "sip:" + name + "@127.0.0.1", Key: key, Policy: otrchat.Always})
	if err != nil {
		log.Fatal(err)
	}
	addr, err := client.Listen(context.Background(), "tcp", "127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return client, "sip:" + name + "@" + addr.String() + ";transport=tcp"
}

// Two users on one machine: Bob answers, Alice calls, and what she writes goes encrypted.
func Example() {
	defer quiet.Stdout()() // see "A note on standard output" in README.md
	ctx := context.Background()
	alice, _ := listen("alice")
	defer alice.Close()
	bob, address := listen("bob")
	defer bob.Close()

	go func() {
		chat, err := alice.Call(ctx, address)
		if err != nil {
			log.Fatal(err)
		}
		if _, err := chat.Send(ctx, "hello, Bob"); err != nil { // waits for encryption
			log.Fatal(err)
		}
	}()

	invitation, err := bob.Accept(ctx)
	if err != nil {
		log.Fatal(err)
	}
	chat, err := invitation.Answer(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for event, err := range chat.Events(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if m, ok := event.(otrchat.Message); ok {
			fmt.Printf("%q, encrypted: %t\n", m.Text, m.Encrypted)
			break
		}
	}
	// Output: "hello, Bob", encrypted: true
}

// Warnings on the desktop, by voice and by Growl, whichever of them the user's machine has; and a file that remembers, after a restart too, what was warned of.
func ExampleOptions_notifier() {
	popup, err := desktop.New(&desktop.Options{AppName: "Chatter"})
	if err != nil {
		log.Fatal(err)
	}
	defer popup.Close()
	voice, err := speech.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer voice.Close()
	server, err := growl.New(&growl.Options{AppName: "Chatter"})
	if err != nil {
		log.Fatal(err)
	}
	store, err := filestore.New(&filestore.Options{Path: "/home/alice/.config/chatter/contacts.json"})
	if err != nil {
		log.Fatal(err)
	}
	key, err := otrsession.LoadKey("/home/alice/.config/chatter/otr.key")
	if err != nil {
		log.Fatal(err)
	}
	spoken := notify.Filter(voice, func(n notify.Notification) bool { return n.Urgency == notify.Critical })
	client, err := otrchat.New(&otrchat.Options{
		Address: "sip:alice@example.com", Key: key, Contacts: store,
		Notifier: notify.Multi(popup, spoken, server),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
}
