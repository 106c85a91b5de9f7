//go:build !race

package otrchat_test

const manyTexts = 1000
