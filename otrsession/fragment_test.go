package otrsession

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReassembly(t *testing.T) {
	const a, b, c = "?OTR|00000100|00000000,00001,00003,?OTR ,", "?OTR|00000100|00000000,00002,00003,Error: ,", "?OTR|00000100|00000000,00003,00003,whole,"
	for _, test := range []struct {
		name  string
		parts []string
		whole bool
	}{
		{"in order", []string{a, b, c}, true},
		{"first one twice", []string{a, a, b, c}, true},
		{"begun again", []string{a, b, a, b, c}, true},
		{"numbers without zeros", []string{"?OTR|100|0,1,2,?OTR Error: ,", "?OTR|100|0,2,2,whole,"}, true},
		{"one of one", []string{"?OTR|100|0,1,1,?OTR Error: whole,"}, true},
		{"version 2", []string{"?OTR,1,2,?OTR Error: ,", "?OTR,2,2,whole,"}, true},
		{"a broken one between", []string{a, "?OTR|00000100|00000000,x,3,y,", b, c}, true},
		{"for another between", []string{a, "?OTR|00000100|00000123,00002,00003,y,", b, c}, true},
		{"out of order", []string{a, c, b}, false},
		{"second one twice", []string{a, b, b, c}, false},
		{"second one missing", []string{a, c}, false},
		{"first one missing", []string{b, c}, false},
		{"another count", []string{a, "?OTR|00000100|00000000,00002,00004,Error: ,", c}, false},
		{"another sender", []string{a, "?OTR|00000101|00000000,00002,00003,Error: ,", c}, false},
		{"text between", []string{a, b, "text", c}, false},
		{"error between", []string{a, b, "?OTR Error: x", c}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSession(t, Options{Key: aliceKey(), AllowV2: true})
			got := false
			for _, part := range test.parts {
				for _, e := range hearing(t, s, []byte(part)).Events {
					got = got || e.Type == EventPeerError && e.Text == "whole"
				}
			}
			assert.Equal(t, test.whole, got)
		})
	}
}

func TestMalformedFragments(t *testing.T) {
	s := newSession(t, Options{Key: aliceKey()})
	for _, part := range []string{
		"?OTR|", "?OTR|,", "?OTR|,,,,", "?OTR|1|2", "?OTR|100|0,1,2,piece", "?OTR|100|0,1,,piece,",
		"?OTR|100|0,0,2,piece,", "?OTR|100|0,3,2,piece,", "?OTR|100|0,1,0,piece,", "?OTR|100|0,-1,2,piece,",
		"?OTR|100|0,65536,65536,piece,", "?OTR|ff|0,1,2,piece,", "?OTR|100|ff,1,2,piece,", "?OTR|0|0,1,2,piece,",
		"?OTR|100|0|0,1,2,piece,", "?OTR|100000000|0,1,2,piece,", "?OTR|100|0,1,2,pi,ece", "?OTR|+100|0,1,2,piece,",
		"?OTR|100|0,1,1,?OTR|100|0,1,1,x,,",
	} {
		step := hearing(t, s, []byte(part))
		assert.Equal(t, Step{Events: []Event{{Type: EventUnreadable, Err: ErrMalformed}}}, step, part)
		assert.Zero(t, s.fragments.k, part)
	}
	step := hearing(t, s, []byte("?OTR,1,2,piece,"))
	assert.Equal(t, []Event{{Type: EventUnreadable, Err: ErrNoCommonVersion}}, step.Events)
}

func TestFragmentTimeout(t *testing.T) {
	now := time.Now()
	s := newSession(t, Options{Key: aliceKey(), FragmentTimeout: time.Minute, Now: func() time.Time { return now }})
	part := func(k int, piece string) []byte { return fmt.Appendf(nil, "?OTR|100|0,%d,3,%s,", k, piece) }
	hearing(t, s, part(1, "?OTR "))
	now = now.Add(time.Minute)
	hearing(t, s, part(2, "Error: "))
	now = now.Add(time.Minute)
	assert.Len(t, hearing(t, s, part(3, "x")).Events, 1)

	hearing(t, s, part(1, "?OTR "))
	now = now.Add(time.Minute + 1)
	assert.Empty(t, hearing(t, s, part(2, "Error: ")).Events)
	assert.Empty(t, s.fragments.text)
	assert.Empty(t, hearing(t, s, part(3, "x")).Events)
}

func TestFragmentsAreBounded(t *testing.T) {
	s := newSession(t, Options{Key: aliceKey(), MaxMessage: 1000})
	piece := strings.Repeat("x", 400)
	var err error
	k := 0
	for ; err == nil && k < 10; k++ {
		assert.LessOrEqual(t, len(s.fragments.text), 1000)
		_, err = s.Decrypt(fmt.Appendf(nil, "?OTR|100|0,%d,65535,%s,", k+1, piece))
	}
	assert.ErrorIs(t, err, ErrTooLarge)
	assert.Equal(t, 3, k)
	assert.Zero(t, s.fragments)
}

func TestSplitRefusesTooManyFragments(t *testing.T) {
	p := encryptedPair(t, Options{FragmentSize: MinFragmentSize, MaxMessage: 16 << 20}, Options{})
	step, err := p.alice.Encrypt(make([]byte, 0))
	require.NoError(t, err)
	assert.Greater(t, len(step.Send), 1)
	step, err = p.alice.Encrypt([]byte(strings.Repeat("x", 6<<20)))
	assert.ErrorIs(t, err, ErrTooLarge)
	assert.Empty(t, step.Send)
	p.say(p.alice, "fits")
}
