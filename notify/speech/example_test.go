package speech_test

import (
	"fmt"
	"time"

	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/speech"
)

// A voice is one notifier among others, and is silent at night.
func Example() {
	night := speech.Hours{From: 22 * time.Hour, To: 7 * time.Hour}
	voice, err := speech.New(&speech.Options{Quiet: night})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer voice.Close()
	_ = notify.Multi(voice, notify.Slog(nil)) // for the Notifier of otrchat.Options

	fmt.Println(night.Contains(time.Date(2026, 11, 23, 23, 30, 0, 0, time.UTC)))
	_, err = speech.New(&speech.Options{Program: "festival"})
	fmt.Println(err)
	// Output:
	// true
	// speech: Options.Program is none of spd-say, espeak-ng, espeak, say, powershell
}
