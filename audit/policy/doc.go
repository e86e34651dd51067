// Package policy decides which znodes are recorded and how much of each.
//
// Rules are tried in order and the first that matches wins; a znode that no
// rule matches is neither recorded nor read. A rule's level says what may
// leave memory: at LevelMetadata the size and a keyed digest of the data, at
// LevelData also the data itself, cut visibly at a limit. Content above the
// level never leaves this package.
//
// The digest is HMAC-SHA-256 under a key that only the auditor has. Equal
// digests mean equal data, and whoever holds the key can check a suspected
// value, but nobody can guess short values from the journal alone.
package policy
