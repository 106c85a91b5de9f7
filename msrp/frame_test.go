package msrp

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// A Clone holds for good: nothing of it lies in the Decoder's buffer.
func TestCloneIsACopy(t *testing.T) {
	var f Frame
	v := reflect.ValueOf(&f).Elem()
	for i := range v.NumField() {
		field := v.Type().Field(i)
		require.True(t, field.IsExported(), "Clone does not copy %s", field.Name)
		switch field.Type.Kind() {
		case reflect.Slice:
			require.Contains(t, []string{"[]uint8", "[]msrp.Header"}, field.Type.String())
		case reflect.Pointer, reflect.Map, reflect.Struct:
			require.Contains(t, []string{"msrp.ByteRange"}, field.Type.String())
		}
		if field.Type.String() == "[]uint8" {
			v.Field(i).SetBytes([]byte("before"))
		}
	}
	f.Header = []Header{{Name: []byte("before"), Value: []byte("before")}}
	c := f.Clone()
	require.Equal(t, &f, c)
	for i := range v.NumField() {
		if b, ok := v.Field(i).Interface().([]byte); ok {
			copy(b, "behind")
			require.Equal(t, "before", string(reflect.ValueOf(c).Elem().Field(i).Bytes()), v.Type().Field(i).Name)
		}
	}
	copy(f.Header[0].Name, "behind")
	copy(f.Header[0].Value, "behind")
	require.Equal(t, []Header{{Name: []byte("before"), Value: []byte("before")}}, c.Header)
}
