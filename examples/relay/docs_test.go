package main

import (
	"bytes"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The flags and metrics of which docs/scaling.md speaks exist, and it leaves out none of our metrics.
func TestScalingKnowsTheProgram(t *testing.T) {
	page, err := os.ReadFile("../../docs/scaling.md")
	require.NoError(t, err)
	var usage bytes.Buffer
	_, err = parse([]string{"-h"}, &usage)
	require.Error(t, err)
	flags := regexp.MustCompile("[` ]-([a-z][a-z-]+)[` ]").FindAllSubmatch(page, -1)
	require.NotEmpty(t, flags)
	for _, m := range flags {
		assert.Regexp(t, "(?m)^  -"+string(m[1])+"( |$)", usage.String())
	}

	var described []string
	for _, name := range regexp.MustCompile("msrp_relay_[a-z_]+").FindAllString(string(page), -1) {
		described = append(described, `"`+name+`"`)
	}
	numbers := (&server{}).numbers()
	published := make([]string, len(numbers))
	for i, n := range numbers {
		published[i] = regexp.MustCompile(`"msrp_relay_[a-z_]+"`).FindString(n.String())
	}
	assert.ElementsMatch(t, published, described)
}
