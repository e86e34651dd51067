package history

import (
	"bytes"

	"zkwarden/audit"
	"zkwarden/audit/policy"
	"zkwarden/audit/txnlog"
)

// Change is one change of one znode. Its Event lacks ID, Before and After
// until they are asked for by [Change.Describe], and what only a journal has:
// Seq, Recorder, Observed and Prev.
type Change struct {
	audit.Event
	before, after content

	known      bool // Whether Czxid is known, which may be zero.
	counter    int32
	occurrence int
	generation uint64
}

// Describe fills in Before and After, as far as they are known and the rule
// allows, and the ID, if the ensemble has a name and the incarnation is known.
func (c *Change) Describe(p *policy.Policy, rule policy.Rule) {
	c.Before, c.After = c.before.describe(p, rule), c.after.describe(p, rule)
	if c.Ensemble == "" || !c.known || c.Op == audit.OpDataChanged && c.counter == unversioned {
		return
	}
	c.ID = audit.Identity{
		Ensemble: c.Ensemble, Generation: c.generation, Path: c.Path, Czxid: c.Czxid,
		Op: c.Op, Counter: int64(c.counter), Occurrence: c.occurrence,
	}.ID()
}

// unversioned is the version of /zookeeper/config, whatever becomes of it.
const unversioned = -1

// incarnation is what is known of a znode that lives.
type incarnation struct {
	czxid      uint64
	certain    bool // Whether that is the czxid.
	version    int32
	aversion   int32
	versioned  bool
	aversioned bool
	owner      uint64 // The session of an ephemeral znode.
	occurrence int    // That of its creation; see [audit.Identity].
	content    content
}

// contradicts tells whether an operation counts a change of data or ACL that is
// not the next one of what is known: that is another incarnation, or has
// changed.
func (n *incarnation) contradicts(op txnlog.Op) bool {
	switch op.Type {
	case txnlog.TypeSetData:
		return n.versioned && op.Version != n.version+1
	case txnlog.TypeSetACL:
		return n.aversioned && op.Version != n.aversion+1
	}
	return false
}

// content is what is known of data and ACL.
type content struct {
	hasData bool
	size    int
	data    []byte // Not there when contents are not kept.
	hasACL  bool
	acl     []txnlog.ACL
	kept    bool
}

func (c *content) setData(data []byte, keep bool) {
	c.hasData, c.size, c.data = true, len(data), nil
	if keep {
		c.data, c.kept = bytes.Clone(data), true
	}
}

func (c *content) setACL(acl []txnlog.ACL, keep bool) {
	c.hasACL, c.acl = keep, nil
	if !keep {
		return
	}
	for _, a := range acl {
		c.acl = append(c.acl, txnlog.ACL{Perms: a.Perms, Scheme: bytes.Clone(a.Scheme), ID: bytes.Clone(a.ID)})
	}
}

func (c content) withoutACL() content {
	c.hasACL, c.acl = false, nil
	return c
}

func (c content) onlyACL() content { return content{hasACL: c.hasACL, acl: c.acl} }

func (c content) describe(p *policy.Policy, rule policy.Rule) *audit.Content {
	var described *audit.Content
	switch {
	case c.hasData && c.kept:
		described = p.Describe(rule, c.data)
	case c.hasData:
		described = &audit.Content{Size: &c.size}
	case c.hasACL:
		described = &audit.Content{}
	default:
		return nil
	}
	if c.hasACL {
		described.ACL, described.ACLMasked = DescribeACL(p, rule, c.acl)
	}
	return described
}

// DescribeACL returns what the rule allows of an ACL.
func DescribeACL(p *policy.Policy, rule policy.Rule, acl []txnlog.ACL) (recorded []audit.ACL, masked bool) {
	entries := make([]audit.ACL, len(acl))
	for i, a := range acl {
		entries[i] = audit.ACL{Perms: audit.PermsOf(a.Perms), Scheme: string(a.Scheme), ID: string(a.ID)}
	}
	return p.ACL(rule, entries)
}
