package app

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-zookeeper/zk"
)

// The names that the keeper alone gives, to znodes that stay without children.
const (
	veiledName = "veiled" // Born hidden from the auditor, and shown at times.
	hoodedName = "hooded" // Born in sight, and hidden at times for the rest of its life.
)

// modelPolicy writes a policy with rules that leave out something inside of what
// others want, and under which most parents' children are wanted in part.
func modelPolicy(t *testing.T, root string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	text := fmt.Sprintf(`rules:
  - {name: none of it, level: none, paths: ["%[1]s/b/**", "%[1]s/*/config"]}
  - {name: digests, level: metadata, path: "%[1]s/a/**"}
  - name: contents
    level: data
    paths: ["%[1]s", "%[1]s/{ab,abc,with blank}/**", "%[1]s/*/a/**", "%[1]s/**/{veiled,hooded}"]
`, root)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// modelKeeper makes znodes that only it may read, among those of the others.
//
// What is shown once is not hidden again: between two sweeps nobody could tell
// that it was, and how far its version went meanwhile (docs/guarantees.md).
type modelKeeper struct {
	modelWriter
	own []zk.ACL
}

func newModelKeeper(t *testing.T, seed uint64, root string, addrs []string) *modelKeeper {
	t.Helper()
	conn := client(t, addrs...)
	if err := conn.AddAuth("digest", []byte("keeper:secret")); err != nil {
		t.Fatal(err)
	}
	return &modelKeeper{
		modelWriter{rng: rand.New(rand.NewPCG(seed, 98)), conn: conn, root: root},
		zk.DigestACL(zk.PermAll, "keeper", "secret"),
	}
}

func (k *modelKeeper) run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
			k.keep()
		}
	}
}

// keep makes one request below the root or below a znode in it.
func (k *modelKeeper) keep() {
	parent := k.root
	if k.rng.IntN(3) > 0 {
		parent += "/" + k.name()
	}
	veiled, hooded := parent+"/"+veiledName, parent+"/"+hoodedName
	path := veiled
	if k.rng.IntN(2) == 0 {
		path = hooded
	}
	switch n := k.rng.IntN(100); {
	case n < 20:
		_, _ = k.conn.Create(veiled, k.data(), 0, k.own)
	case n < 40:
		_, _ = k.conn.Create(hooded, k.data(), 0, zk.WorldACL(zk.PermAll))
	case n < 70:
		_, _ = k.conn.Set(path, k.data(), -1)
	case n < 78:
		_, _ = k.conn.SetACL(veiled, zk.WorldACL(zk.PermAll), -1)
	case n < 86:
		_, _ = k.conn.SetACL(hooded, k.own, -1)
	case n < 96:
		_ = k.conn.Delete(path, -1)
	default:
		_, _ = k.conn.Multi(
			&zk.DeleteRequest{Path: veiled, Version: -1},
			&zk.CreateRequest{Path: veiled, Data: k.data(), Acl: k.own},
			&zk.SetDataRequest{Path: veiled, Data: k.data(), Version: -1},
		)
	}
}
