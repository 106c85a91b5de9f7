package hop

import (
	"context"
	"fmt"
	"net"
)

func ExampleFind() {
	lookup := func(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
		fmt.Printf("asked for _%s._%s.%s\n", service, proto, name)
		return "", []*net.SRV{{Target: "server1.example.com.", Port: 9000}}, nil
	}
	fmt.Println(Find(context.Background(), lookup, "example.com", 0))
	// Output:
	// asked for _msrps._tcp.example.com
	// [server1.example.com:9000] <nil>
}
