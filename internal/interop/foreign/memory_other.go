//go:build !linux

package foreign

import "errors"

// Memory is known on Linux only.
func (p *Process) Memory() (int64, error) { return 0, errors.ErrUnsupported }
