package msrp_test

import (
	"fmt"
	"strings"

	"github.com/otrchat/otrchat/msrp"
)

// Headers without a field of their own are added by name, and the ones of RFC 4976 and RFC 7701 are read by methods.
func ExampleFrame_UseNickname() {
	f := msrp.Frame{
		TransactionID: []byte("d93kswow"), Method: []byte(msrp.MethodNickname), Continuation: msrp.Complete,
		ToPath: []byte("msrp://chat.example.com:8888/9di4eae923wzd;tcp"), FromPath: []byte("msrp://alice.example.com:7777/iau39soe2843z;tcp"),
	}
	f.Add("Use-Nickname", msrp.Quote(`Alice "the great"`))
	wire, err := msrp.AppendFrame(nil, &f, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.ReplaceAll(string(wire), "\r\n", "\n"))

	read, err := msrp.NewDecoder(strings.NewReader(string(wire)), nil).Next()
	if err != nil {
		fmt.Println(err)
		return
	}
	name, _, err := read.UseNickname()
	fmt.Println(name, err)
	// Output:
	// MSRP d93kswow NICKNAME
	// To-Path: msrp://chat.example.com:8888/9di4eae923wzd;tcp
	// From-Path: msrp://alice.example.com:7777/iau39soe2843z;tcp
	// Use-Nickname: "Alice \"the great\""
	// -------d93kswow$
	//
	// Alice "the great" <nil>
}
