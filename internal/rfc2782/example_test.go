package rfc2782_test

import (
	"fmt"
	"math/rand/v2"
	"net"

	"github.com/otrchat/otrchat/internal/rfc2782"
)

func Example() {
	records := []*net.SRV{{Target: "spare.example.com.", Priority: 20}, {Target: "main.example.com.", Priority: 10}}
	for _, r := range rfc2782.Order(records, rand.IntN) {
		fmt.Println(r.Target)
	}
	// Output:
	// main.example.com.
	// spare.example.com.
}
