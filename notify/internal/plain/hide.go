package plain

import "regexp"

var word = regexp.MustCompile(`[\pL\pM\pN]+`)

// Hide returns s with "…" for each word that stands in one of secrets. A word is a run of letters and digits.
func Hide(s string, secrets ...string) string {
	secret := make(map[string]bool)
	for _, text := range secrets {
		for _, w := range word.FindAllString(text, -1) {
			secret[w] = true
		}
	}
	return word.ReplaceAllStringFunc(s, func(w string) string {
		if secret[w] {
			return ellipsis
		}
		return w
	})
}
