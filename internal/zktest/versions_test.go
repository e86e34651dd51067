package zktest

import (
	"testing"
)

func TestEveryVersionStandsAlone(t *testing.T) {
	for _, version := range Versions() {
		t.Run(version, func(t *testing.T) {
			ensemble := Start(t, Options{Version: version})
			if mode, err := ensemble.Server(1).Mode(soon(t)); err != nil || mode != ModeStandalone {
				t.Errorf("Mode() = %q, %v; want %q", mode, err, ModeStandalone)
			}
		})
	}
}
