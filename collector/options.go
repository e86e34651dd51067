package collector

import (
	"fmt"
	"net"
	"path"
	"slices"
	"time"

	"zkwarden/internal/fourletter"
)

// What the zero values of [Options] stand for.
const (
	DefaultTimeout       = 3 * time.Second
	DefaultSlowInterval  = time.Minute
	DefaultNamespacesMax = 100
	DefaultConsTop       = 20
)

// CompatZK is the value of [Options.Compat] for the names that mntr has, which
// the existing Go exporters use.
const CompatZK = "zk"

// DefaultWords returns the words that are asked beside mntr and srvr. Their
// answers change slowly, and none of them costs the server much.
func DefaultWords() []fourletter.Word {
	return []fourletter.Word{fourletter.Conf, fourletter.Isro, fourletter.Wchs, fourletter.Dirs, fourletter.Envi}
}

// withDefaults returns o with its zero values replaced, or what is wrong with it.
func (o Options) withDefaults() (Options, error) {
	if _, _, err := net.SplitHostPort(o.Addr); err != nil {
		return o, fmt.Errorf("parse server address %q: %w", o.Addr, err)
	}
	switch {
	case o.Timeout < 0:
		return o, fmt.Errorf("timeout %s of words is negative", o.Timeout)
	case o.SlowInterval < 0:
		return o, fmt.Errorf("interval %s of slow words is negative", o.SlowInterval)
	case o.NamespacesMax < 0:
		return o, fmt.Errorf("number %d of namespaces is negative", o.NamespacesMax)
	case o.ConsTop < 0:
		return o, fmt.Errorf("number %d of client addresses is negative", o.ConsTop)
	case o.Compat != "" && o.Compat != CompatZK:
		return o, fmt.Errorf("names to be compatible with are %q, want %q", o.Compat, CompatZK)
	}
	for _, glob := range slices.Concat(o.NamespacesAllow, o.NamespacesDeny) {
		if _, err := path.Match(glob, ""); err != nil {
			return o, fmt.Errorf("parse namespace glob %q: %w", glob, err)
		}
	}
	for _, word := range o.Words {
		if !slices.Contains(DefaultWords(), word) {
			return o, fmt.Errorf("%s is not one of the words that can be asked beside mntr and srvr", word)
		}
	}
	if o.Words == nil {
		o.Words = DefaultWords()
	}
	o.Words = slices.Clone(o.Words)
	if o.Cons {
		o.Words = append(o.Words, fourletter.Cons)
	}
	setDefault(&o.Timeout, DefaultTimeout)
	setDefault(&o.SlowInterval, DefaultSlowInterval)
	setDefault(&o.NamespacesMax, DefaultNamespacesMax)
	setDefault(&o.ConsTop, DefaultConsTop)
	return o, nil
}

// table returns a new table, or that of the collector to share it with.
func (o Options) table() *table {
	if o.Like != nil {
		return o.Like.table
	}
	return newTable()
}

func setDefault[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}
