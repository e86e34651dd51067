// Package cli holds the subcommands other than run as plain functions: options
// and writers in, an error out. It knows no flags and no exit codes; package
// main translates both.
//
// What a subcommand prints for people escapes everything that a terminal could
// take for a command, because the names of znodes come from whoever may create
// them. What it prints for programs (JSON) is not meant for a terminal.
package cli
