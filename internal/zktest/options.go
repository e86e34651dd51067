package zktest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Default is the version that runs when Options name none: the newest 3.9.
const Default = "3.9.5"

// Versions lists the versions that are tested, oldest first. 3.5.5 and 3.4.14
// are what old Helm charts installed.
func Versions() []string {
	return []string{"3.4.14", "3.5.5", "3.5.10", "3.6.4", "3.7.2", "3.8.6", Default}
}

// Options describe an ensemble. The zero value is one standalone server of
// version [Default] that answers all four-letter words.
type Options struct {
	// Version is one of Versions, or any other that Maven resolves.
	Version string
	// Servers is the number of voters, 1 if zero. A single one is standalone
	// unless Replicated, Dynamic or Observers say otherwise.
	Servers int
	// Observers is the number of servers that follow without a vote. Their ids
	// come after those of the voters.
	Observers int
	// Replicated makes a single voter a quorum of one (3.5.0 and later).
	Replicated bool
	// Dynamic writes client addresses into the server lines
	// ("server.1=...:participant;127.0.0.1:2181", 3.5.0 and later) where static
	// configurations have a clientPort of their own.
	Dynamic bool
	// TLS adds a secure client port that asks for a client certificate; it
	// switches the client connections to Netty (3.5.5 and later).
	TLS *CertFiles
	// Admin turns the AdminServer on (3.5.0 and later).
	Admin bool
	// Prometheus turns the Prometheus metrics provider on (3.6.0 and later).
	// It changes the dialect of mntr.
	Prometheus bool
	// Config adds lines to zoo.cfg or replaces them; an empty value removes
	// one. ZooKeeper turns keys that it does not know into system properties
	// with the prefix "zookeeper.", so leaderServes, snapCount, forceSync,
	// digest.enabled, extendedTypesEnabled, serverCnxnFactory and ssl.* all
	// work here.
	Config map[string]string
	// JVM holds further flags of the virtual machine, after the defaults, for
	// properties without that prefix: -Dreadonlymode.enabled=true.
	JVM []string
	// Dir is where the servers keep their files. Launch makes and removes a
	// directory of its own when it is empty; Start uses the test's.
	Dir string
}

func (o Options) withDefaults() (Options, error) {
	if o.Version == "" {
		o.Version = Default
	}
	if o.Servers == 0 {
		o.Servers = 1
	}
	o.Config = maps.Clone(o.Config)
	o.JVM = slices.Clone(o.JVM)
	if o.Servers < 0 || o.Observers < 0 || o.Servers+o.Observers > 255 {
		return o, fmt.Errorf("%d servers and %d observers: want 1 to 255 together", o.Servers, o.Observers)
	}
	return o, o.checkVersion()
}

// checkVersion refuses what the version does not have, where the server would
// silently ignore it.
func (o Options) checkVersion() error {
	for _, need := range []struct {
		what         string
		wanted       bool
		major, minor int
	}{
		{"replicated single server", o.quorum() && o.Servers == 1, 3, 5},
		{"dynamic server lines", o.Dynamic, 3, 5},
		{"TLS", o.TLS != nil, 3, 5},
		{"AdminServer", o.Admin, 3, 5},
		{"Prometheus provider", o.Prometheus, 3, 6},
	} {
		if need.wanted && !atLeast(o.Version, need.major, need.minor) {
			return fmt.Errorf("ZooKeeper %s has no %s", o.Version, need.what)
		}
	}
	return nil
}

// quorum tells whether the configuration has server lines.
func (o Options) quorum() bool {
	return o.Servers > 1 || o.Observers > 0 || o.Replicated || o.Dynamic
}

// atLeast compares numbers, not text: 3.10 comes after 3.9.
func atLeast(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	gotMajor, _ := strconv.Atoi(parts[0])
	gotMinor, _ := strconv.Atoi(parts[1])
	return gotMajor > major || gotMajor == major && gotMinor >= minor
}
