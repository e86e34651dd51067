// Package zktest runs real ZooKeeper ensembles on loopback, for tests, the
// demo and benchmarks.
//
// [Start] serves a test: it fails the test when no server can be started
// (it never skips), stops the servers at its end, and shows their logs when it
// failed. [Launch] is the same without a test. Both return when every server
// serves.
//
// What the package promises:
//
//   - Any version of [Versions] runs, with one to N voters and observers. What
//     is not in the cache yet is brought by fetch.sh, which says what is
//     missing when it can't. Java 17 and 25 run all of them, 3.4.14 and 3.5.5
//     included, without any --add-opens or security manager flag.
//   - Servers never outlive the process that started them, however it ends
//     (on Linux; elsewhere they outlive a SIGKILL of it).
//   - Ports are free ones of 127.0.0.1. A server that loses the race for its
//     port makes the whole ensemble start again with others.
//   - Nothing waits for a fixed time: every wait is for a condition and ends
//     with its context.
package zktest
