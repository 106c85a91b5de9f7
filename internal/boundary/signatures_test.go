package boundary

import (
	"errors"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every type that a user meets is ours or the standard library's: otherwise another version of a dependency would break
// users' builds, and nothing could be exchanged behind the seam.
func TestNoOutsideTypeIsExported(t *testing.T) {
	w := loaded(t)
	imp := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		p := w[path]
		if p == nil || p.Export == "" {
			return nil, errors.New("no export data for " + path)
		}
		return os.Open(p.Export)
	})
	for path, p := range w.ours() {
		if p.Name == "main" || joins(path) && path != "" || len(p.GoFiles) == 0 {
			continue
		}
		tp, err := imp.Import(p.ImportPath)
		require.NoError(t, err)
		for _, complaint := range checkSignatures(w, tp) {
			t.Error(complaint)
		}
	}
}

func checkSignatures(w world, p *types.Package) (complaints []string) {
	for _, name := range p.Scope().Names() {
		if obj := p.Scope().Lookup(name); obj.Exported() {
			v := &visitor{seen: make(map[types.Type]bool), allowed: func(other *types.Package) bool {
				known := w[other.Path()]
				return other == p || known != nil && (known.Standard || known.Module != nil && known.Module.Path == module)
			}, home: p}
			v.object(obj)
			for _, outsider := range v.found {
				complaints = append(complaints, p.Path()+"."+name+" shows "+outsider)
			}
		}
	}
	return complaints
}

// visitor walks all that a user can reach from an exported object.
type visitor struct {
	home    *types.Package
	allowed func(*types.Package) bool
	seen    map[types.Type]bool
	found   []string
}

func (v *visitor) object(obj types.Object) {
	if named, ok := obj.Type().(*types.Named); ok && named.Obj() == obj {
		v.named(named)
		return
	}
	v.visit(obj.Type())
}

func (v *visitor) visit(t types.Type) {
	if v.seen[t] {
		return
	}
	v.seen[t] = true
	switch t := t.(type) {
	case *types.Alias:
		v.owner(t.Obj())
		v.visit(types.Unalias(t))
	case *types.Named:
		v.owner(t.Obj())
		for arg := range t.TypeArgs().Types() {
			v.visit(arg)
		}
		if t.Obj().Pkg() == v.home {
			v.named(t)
		}
	case *types.Signature:
		v.tuple(t.Params())
		v.tuple(t.Results())
	case *types.Struct:
		for field := range t.Fields() {
			if field.Exported() || field.Embedded() {
				v.visit(field.Type())
			}
		}
	case *types.Interface:
		for m := range t.Methods() {
			v.visit(m.Type())
		}
	case *types.Map:
		v.visit(t.Key())
		v.visit(t.Elem())
	case interface{ Elem() types.Type }: // pointer, slice, array, channel
		v.visit(t.Elem())
	}
}

func (v *visitor) tuple(t *types.Tuple) {
	for p := range t.Variables() {
		v.visit(p.Type())
	}
}

// named visits what the package's own type t shows: exported fields and methods.
func (v *visitor) named(t *types.Named) {
	v.seen[t] = true
	v.visit(t.Underlying())
	for m := range t.Methods() {
		if m.Exported() {
			v.visit(m.Type())
		}
	}
}

func (v *visitor) owner(obj *types.TypeName) {
	if name := obj.Pkg(); name != nil && !v.allowed(name) && !slices.Contains(v.found, name.Path()+"."+obj.Name()) {
		v.found = append(v.found, name.Path()+"."+obj.Name())
	}
}

func TestCheckSignaturesSeesWhatIsWrong(t *testing.T) {
	outsider := types.NewPackage("github.com/coyim/otr3", "otr3")
	foreign := types.NewNamed(types.NewTypeName(0, outsider, "Conversation", nil), types.NewStruct(nil, nil), nil)
	pointer := types.NewPointer(foreign)
	param := func(p *types.Package, t types.Type) *types.Tuple { return types.NewTuple(types.NewVar(0, p, "x", t)) }
	tests := []struct {
		name string
		add  func(*types.Package) types.Object
		bad  bool
	}{
		{"result", func(p *types.Package) types.Object {
			return types.NewFunc(0, p, "F", types.NewSignatureType(nil, nil, nil, nil, param(p, pointer), false))
		}, true},
		{"unexported function", func(p *types.Package) types.Object {
			return types.NewFunc(0, p, "f", types.NewSignatureType(nil, nil, nil, nil, param(p, pointer), false))
		}, false},
		{"callback in a map", func(p *types.Package) types.Object {
			callback := types.NewSignatureType(nil, nil, nil, param(p, types.NewSlice(pointer)), nil, false)
			return types.NewVar(0, p, "V", types.NewMap(types.Typ[types.String], callback))
		}, true},
		{"unexported field", func(p *types.Package) types.Object {
			return structType(p, types.NewField(0, p, "conversation", pointer, false))
		}, false},
		{"exported field", func(p *types.Package) types.Object {
			return structType(p, types.NewField(0, p, "Conversation", pointer, false))
		}, true},
		{"embedded field", func(p *types.Package) types.Object {
			return structType(p, types.NewField(0, p, "conversation", pointer, true))
		}, true},
		{"unexported type behind an exported function", func(p *types.Package) types.Object {
			inner := types.NewNamed(types.NewTypeName(0, p, "inner", nil), types.NewStruct([]*types.Var{types.NewField(0, p, "C", pointer, false)}, nil), nil)
			return types.NewFunc(0, p, "F", types.NewSignatureType(nil, nil, nil, nil, param(p, inner), false))
		}, true},
		{"method", func(p *types.Package) types.Object {
			obj := structType(p)
			named := obj.Type().(*types.Named)
			recv := types.NewVar(0, p, "r", types.NewPointer(named))
			named.AddMethod(types.NewFunc(0, p, "M", types.NewSignatureType(recv, nil, nil, param(p, pointer), nil, false)))
			return obj
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := types.NewPackage(module+"/otrsession", "otrsession")
			p.Scope().Insert(tt.add(p))
			got := strings.Join(checkSignatures(world{}, p), "\n")
			if tt.bad {
				assert.Contains(t, got, "shows github.com/coyim/otr3.Conversation")
			} else {
				assert.Empty(t, got)
			}
		})
	}
}

func structType(p *types.Package, fields ...*types.Var) types.Object {
	obj := types.NewTypeName(0, p, "T", nil)
	types.NewNamed(obj, types.NewStruct(fields, nil), nil)
	return obj
}
