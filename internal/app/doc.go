// Package app starts and stops the process: the exporter, the auditor if one
// is configured, and the web server in front of them. It is what `zkwarden
// run` does, and a test can start it on port 0.
//
// # Order of death
//
// [App.Run] ends in order, and each step lets the one behind it finish: the
// source stops observing, the recorder records what it was handed, the journal
// makes that durable, its consumers receive it, and the web server, which
// tells how all of it is doing, goes last. One deadline bounds the whole.
package app
