// Package fourletter asks one ZooKeeper server one four-letter word over one
// connection, plain or TLS.
//
// It promises that an ask ends with its context, that a reply never costs more
// than its byte cap, that every failure names one [Reason] of a fixed list, and
// that no word can be sent that changes the server or whose cost grows with its
// watches: a [Word] is one of the constants of this package and nothing else.
//
// A reply has no length and no terminator; it ends where the server closes the
// connection (ZooKeeper 3.4 to 3.10). Whether it is whole is therefore for the
// parser of the word to judge, who reports it with [Truncated] or [Unparsable].
package fourletter
