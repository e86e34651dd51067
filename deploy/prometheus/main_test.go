// Package prometheus holds the rules for Prometheus to their promises.
package prometheus

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
