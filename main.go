// Command zkwarden is a sidecar for Apache ZooKeeper: it exposes the
// four-letter words of the server beside it as Prometheus metrics, and records
// every change of the znodes under given paths as audit events.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"zkwarden/internal/app"
	"zkwarden/internal/cli"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	// A reader of stdout that goes away must not end the auditor: its cursor
	// waits until somebody reads again.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // A second signal ends the process at once.
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// usageError is a mistake of the caller.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// run is main without the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := command(ctx, args, stdout, stderr)
	if err == nil {
		return exitOK
	}
	texts := messages(err)
	status, hint := exitFailure, ""
	if _, ok := errors.AsType[usageError](err); ok {
		status = exitUsage
		if len(texts) == 1 {
			hint = "; see zkwarden --help"
		}
	}
	for _, text := range texts {
		fmt.Fprintf(stderr, "zkwarden: %s%s\n", text, hint)
	}
	return status
}

// messages returns the texts of joined errors, as the mistakes in a policy file
// are, or the one of another error. Each is one line.
func messages(err error) []string {
	var texts []string
	if joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		for _, each := range joined.Unwrap() {
			texts = append(texts, each.Error())
		}
	}
	if strings.Join(texts, "\n") != err.Error() { // Not joined, or something is said around it.
		texts = []string{err.Error()}
	}
	for i, text := range texts {
		texts[i] = strings.ReplaceAll(text, "\n", "; ")
	}
	return texts
}

func command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags()
	chosen, err := f.parse(args, stdout)
	if err != nil || f.answered {
		return err
	}
	if chosen == f.runCommand.FullCommand() {
		return serve(ctx, f, stdout, stderr)
	}
	err = ask(ctx, f, chosen, stdout, stderr)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil // Ended by a signal, as asked.
	}
	return err
}

// ask runs a command that keeps nothing.
func ask(ctx context.Context, f *flags, chosen string, stdout, stderr io.Writer) error {
	switch chosen {
	case f.treeCommand.FullCommand():
		return cli.Tree(ctx, f.treeOptions(stdout, stderr), stdout)
	case f.watchCommand.FullCommand():
		return cli.Watch(ctx, f.watchOptions(stdout, stderr), stdout)
	case f.log.clause.FullCommand():
		return cli.Log(ctx, f.logOptions(stdout, stderr), stdout)
	case f.txnlog.clause.FullCommand():
		options, stdout := f.txnlogOptions(stdout, stderr)
		return cli.Txnlog(ctx, options, stdout)
	case f.verify.clause.FullCommand():
		return cli.Verify(ctx, f.verifyOptions(stdout, stderr), stdout)
	case f.healthCommand.FullCommand():
		return cli.Health(ctx, f.healthOptions())
	case f.dashboardsCommand.FullCommand():
		return cli.Dashboards(f.dashboardsDir, stdout)
	case f.checkClause.FullCommand():
		if len(f.explained) > 0 {
			return cli.Explain(f.explainOptions(), stdout)
		}
		return cli.Check(ctx, f.checkOptions(stderr), stdout)
	}
	return usageError{fmt.Errorf("unknown command %q", chosen)}
}

// serve is the command run.
func serve(ctx context.Context, f *flags, stdout, stderr io.Writer) error {
	options := f.runOptions()
	options.Stdout, stderr, options.Progress = besideProgress(stdout, stderr)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	options.Hangups = hangups
	options.Logger, options.WebLogger = newLoggers(stderr, f.logLevel, f.logFormat)
	if err := options.Validate(); err != nil {
		return usageError{err}
	}
	process, err := app.New(options)
	if err != nil {
		return err
	}
	return process.Run(ctx)
}
