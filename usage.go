package main

import (
	"errors"
	"io"
	"os"

	"golang.org/x/term"

	"zkwarden/internal/cli"
)

var (
	errTLSOff  = errors.New("--zookeeper.tls-ca-file, -cert-file, -key-file and -server-name need --zookeeper.tls")
	errTLSPair = errors.New("--zookeeper.tls-cert-file and --zookeeper.tls-key-file belong together")
)

// usageTemplate shows all commands with their flags, or one command alone.
const usageTemplate = `{{define "FormatCommand"}}\
{{if .FlagSummary}} {{.FlagSummary}}{{end}}\
{{range .Args}} {{if not .Required}}[{{end}}<{{.Name}}>{{if .Value|IsCumulative}}...{{end}}{{if not .Required}}]{{end}}{{end}}\
{{end}}\

{{if .Context.SelectedCommand}}\
usage: {{.App.Name}} {{.Context.SelectedCommand}}{{template "FormatCommand" .Context.SelectedCommand}}

{{.Context.SelectedCommand.Help|Wrap 0}}
{{else}}\
usage: {{.App.Name}} [<flags>] [<command>] [<args> ...]

{{.App.Help}}

{{end}}\
Flags:
{{.Context.Flags|FlagsToTwoColumns|FormatTwoColumns}}
{{if .Context.Args}}\
Args:
{{.Context.Args|ArgsToTwoColumns|FormatTwoColumns}}
{{end}}\
{{if not .Context.SelectedCommand}}\
Commands:
{{range .App.FlattenedCommands}}\
{{if not .Hidden}}\
  {{.FullCommand}}{{if .Default}} (the default){{end}}{{template "FormatCommand" .}}
{{.Help|Wrap 4}}
{{with .Flags|FlagsToTwoColumns}}{{FormatTwoColumnsWithIndent . 4 2}}
{{end}}\
{{end}}\
{{end}}\
{{end}}\
`

// progress returns stderr where a progress line would be seen and disturb
// nothing.
func progress(stdout, stderr io.Writer) io.Writer {
	out, isFile := stdout.(*os.File)
	err, isFileToo := stderr.(*os.File)
	if !isFile || !isFileToo {
		return nil
	}
	return cli.ProgressTo(out, err)
}

// besideProgress returns what shows progress on stderr if that is a terminal,
// else nil, and the writers that go around it.
func besideProgress(stdout, stderr io.Writer) (out, err io.Writer, show func(string)) {
	if !isTerminal(stderr) {
		return stdout, stderr, nil
	}
	line := cli.NewStatusLine(stderr)
	if isTerminal(stdout) { // Anything else may block, and the log must not wait for it.
		stdout = line.Beside(stdout)
	}
	return stdout, line.Beside(stderr), line.Show
}

func isTerminal(w io.Writer) bool {
	file, isFile := w.(*os.File)
	return isFile && term.IsTerminal(int(file.Fd()))
}

// colored reports whether to color what is printed; see https://no-color.org.
func colored(stdout io.Writer) bool {
	return isTerminal(stdout) && os.Getenv("NO_COLOR") == ""
}
