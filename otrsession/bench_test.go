package otrsession

import (
	"strings"
	"testing"
)

func BenchmarkGenerateKey(b *testing.B) {
	for b.Loop() {
		mustKey()
	}
}

// BenchmarkAKE is a whole key exchange, with both sides on this machine.
func BenchmarkAKE(b *testing.B) {
	aliceKey()
	bobKey()
	for b.Loop() {
		p := newPair(b, Options{}, Options{})
		p.run(p.alice, must(p.alice.Start()))
	}
}

func BenchmarkEncrypt(b *testing.B) {
	for _, size := range []int{100, 10_000, 1 << 20} {
		b.Run(sizeName(size), func(b *testing.B) {
			p := encryptedPair(b, Options{}, Options{})
			text := []byte(strings.Repeat("x", size))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				must(p.alice.Encrypt(text))
			}
		})
	}
}

// BenchmarkDecrypt is one direction, the keys staying as they are.
func BenchmarkDecrypt(b *testing.B) {
	for _, size := range []int{100, 10_000, 1 << 20} {
		b.Run(sizeName(size), func(b *testing.B) {
			p := encryptedPair(b, Options{}, Options{})
			text := []byte(strings.Repeat("x", size))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				m := must(p.bob.Encrypt(text)).Send[0]
				b.StartTimer()
				must(p.alice.Decrypt(m))
			}
		})
	}
}

// BenchmarkPingPong is a message and its answer, with new keys each time.
func BenchmarkPingPong(b *testing.B) {
	p := encryptedPair(b, Options{}, Options{})
	text := []byte(strings.Repeat("x", 100))
	for b.Loop() {
		must(p.bob.Decrypt(must(p.alice.Encrypt(text)).Send[0]))
		must(p.alice.Decrypt(must(p.bob.Encrypt(text)).Send[0]))
	}
}

// BenchmarkSMP is a whole run, with both sides on this machine.
func BenchmarkSMP(b *testing.B) {
	p := encryptedPair(b, Options{}, Options{})
	for b.Loop() {
		p.run(p.alice, must(p.alice.StartSMP("", []byte("secret"))))
		p.run(p.bob, must(p.bob.AnswerSMP([]byte("secret"))))
	}
}

func sizeName(n int) string {
	switch n {
	case 100:
		return "100B"
	case 10_000:
		return "10KB"
	}
	return "1MiB"
}
