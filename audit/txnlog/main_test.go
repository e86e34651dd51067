package txnlog

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// long tells whether the whole matrix of versions is asked for.
func long() bool { return os.Getenv("ZKWARDEN_TEST") == "all" }
