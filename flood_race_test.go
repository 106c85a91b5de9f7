//go:build race

package otrchat_test

// manyTexts go each way at once. With the race detector, where each costs OTR a tenth of a second, a tenth of them does.
const manyTexts = 100
