package policy

import (
	"bytes"
	"testing"

	"zkwarden/audit"
)

func TestUnlimited(t *testing.T) {
	p, rule := Unlimited(LevelData, testKey)
	data := bytes.Repeat([]byte("x"), 1<<20)
	if got := p.Describe(rule, data); got.Data != string(data) || got.Truncated {
		t.Errorf("of %d bytes %d are recorded", len(data), len(got.Data))
	}
	for _, path := range []string{"/", "/a/b", "/zookeeper/config"} {
		if !p.Wants(path) {
			t.Errorf("%s is not wanted", path)
		}
	}
	secret := "user:9jzl1Xv0Bx0Yq1n3b9sYd8qJm0E="
	if acl, _ := p.ACL(rule, []audit.ACL{{Perms: "r", Scheme: "digest", ID: secret}}); len(acl) != 1 || acl[0].ID == secret {
		t.Errorf("ACL() = %v", acl)
	}
	p, rule = Unlimited(LevelMetadata, testKey)
	if got := p.Describe(rule, data); got.Data != "" || *got.Size != len(data) {
		t.Errorf("at level metadata %d bytes are recorded, of %d", len(got.Data), *got.Size)
	}
}
