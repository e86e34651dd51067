package txnlog

import (
	"testing"

	"zkwarden/internal/zktest"
)

// digested tells whether a version logs digests.
func digested(version string) bool { return version >= "3.6" }

// TestDigestOfEveryTransaction replays what a server logged, every type of
// transaction among it, and computes the digest that the server computed.
func TestDigestOfEveryTransaction(t *testing.T) {
	for _, version := range versions() {
		if !digested(version) {
			continue
		}
		t.Run(version, func(t *testing.T) {
			server := zktest.Start(t, allOptions(version)).Server(1)
			makeHistory(t, server, version)
			server.Kill()
			digests, compared := NewDigests(), 0
			for txn, err := range Records(logsOf(t, server)) {
				if err != nil {
					t.Fatal(err)
				}
				for _, op := range txn.Changes() {
					digests.Change(txn.Header, op)
				}
				if !txn.HasDigest {
					continue
				}
				compared++
				if txn.Digest != (Digest{DigestVersion, digests.Sum()}) {
					t.Errorf("zxid %#x (%v): digest %d, the server's is %+v", txn.Zxid, txn.Type, digests.Sum(), txn.Digest)
				}
			}
			if compared < 30 {
				t.Errorf("only %d digests", compared)
			}
		})
	}
}
