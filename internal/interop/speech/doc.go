// Package speech holds tests of notify/speech with synthesisers that we did not write: espeak-ng and speech-dispatcher. They play to ALSA's file plugin
// ([SoundCard]), so the sound can be read back on a machine without a sound card, and sox measures its length and loudness. The tests skip where a
// program (Debian packages espeak-ng, speech-dispatcher, speech-dispatcher-espeak-ng, sox) is missing, and fail there when CI is set.
//
// # Concurrency
//
// Everything is for the goroutine of one test. SoundCard changes the environment, so its test runs alone.
//
// # Limits
//
// The sound goes to a file as fast as it is made. Synthesisers of other systems do not run here; see the tests of notify/speech for how they are
// called.
//
// # Security
//
// The daemon of speech-dispatcher listens on a socket in a folder of the test's, and nothing is heard.
package speech
