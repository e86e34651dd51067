package recorder

import (
	"context"
	"slices"

	"zkwarden/audit"
	"zkwarden/audit/mirror"
)

// split takes the ACL out of a description: it lives longer than the data.
func split(c *audit.Content) (content *audit.Content, acl []audit.ACL, masked bool) {
	if c == nil {
		return nil, nil, false
	}
	if c.Size == nil {
		return nil, c.ACL, c.ACLMasked
	}
	if c.ACL == nil {
		return c, nil, false
	}
	bare := *c
	bare.ACL, bare.ACLMasked = nil, false
	return &bare, c.ACL, c.ACLMasked
}

// contentOf is the reverse of split: all that is known of a znode's data and
// ACL, or nil.
func contentOf(entry mirror.Entry) *audit.Content {
	return withACL(entry.Content, entry.ACL, entry.ACLMasked)
}

func withACL(content *audit.Content, acl []audit.ACL, masked bool) *audit.Content {
	if acl == nil {
		return content
	}
	var whole audit.Content
	if content != nil {
		whole = *content
	}
	whole.ACL, whole.ACLMasked = acl, masked
	return &whole
}

// readACL is what the policy allows of the ACL that was read, or nil.
func (l *look) readACL() (acl []audit.ACL, masked bool) {
	if l.Node.ACL == nil {
		return nil, false
	}
	return l.r.Policy.ACL(l.rule, l.Node.ACL)
}

// aclChanged records the changes of the ACL that Node shows beyond what is
// recorded. No watch tells of them, and no timestamp: what is known is that
// they lie behind the last sweep, and within the znode's life.
func (l *look) aclChanged(ctx context.Context) error {
	stat := l.Node.Stat
	acl, masked := l.readACL()
	if !after(stat.Aversion, l.entry.Aversion) {
		worse := masked && !l.entry.ACLMasked && l.entry.ACL != nil // A log had shown it whole.
		if acl != nil && stat.Aversion == l.entry.Aversion && !worse && !slices.Equal(acl, l.entry.ACL) {
			l.entry.ACL, l.entry.ACLMasked = acl, masked
			l.r.Mirror.Put(l.Path, l.entry)
		}
		return nil
	}
	e := l.missed(audit.OpACLChanged, stat.Czxid, int64(stat.Aversion))
	e.ZxidAfter, e.ZxidUntil = new(l.lifeAfter(l.compared())), new(max(l.At, l.Until))
	e.Version, e.Aversion = new(stat.Version-l.Behind), new(stat.Aversion)
	e.EphemeralOwner = stat.EphemeralOwner
	e.Before = withACL(nil, l.entry.ACL, l.entry.ACLMasked)
	e.After = withACL(nil, acl, masked)
	if steps := stat.Aversion - l.entry.Aversion; steps > 1 {
		e.Collapsed = uint64(steps - 1)
	}
	return l.r.append(ctx, e)
}
