package otrchat_test

import (
	"testing"

	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/internal/quiet"
)

func TestMain(m *testing.M) { leakcheck.Main(m, quiet.Stdout) }
