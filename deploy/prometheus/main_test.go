// Package prometheus holds the rules for Prometheus to their promises.
package prometheus

import (
	"net/http"
	"testing"

	"go.uber.org/goleak"
)

// served closes the connections that the client keeps for another request.
type served struct{ *testing.M }

func (m served) Run() int {
	status := m.M.Run()
	http.DefaultClient.CloseIdleConnections()
	return status
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(served{m}) }
