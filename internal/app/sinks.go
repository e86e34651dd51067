package app

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/version"
	"golang.org/x/sync/errgroup"

	"zkwarden/audit/journal"
	"zkwarden/audit/sink/stdout"
	"zkwarden/audit/sink/webhook"
)

// sink is a far end with a cursor of its own.
type sink struct {
	name  string
	pump  *journal.Pump
	close func()
}

// openSinks opens all sinks, each behind the cursor of its name. What it opened
// before an error is left to the end of the process, which follows.
func openSinks(o Options, j *journal.Journal, reg prometheus.Registerer) ([]sink, error) {
	pump, err := j.NewPump("stdout", stdout.New(o.Stdout))
	if err != nil {
		return nil, err
	}
	sinks := []sink{{name: "stdout", pump: pump, close: func() {}}}
	if !o.Audit.Webhook.enabled() {
		return sinks, nil
	}
	options := webhookOptions(o, reg)
	options.Later = j.Later
	hook, err := webhook.New(options)
	if err != nil {
		return nil, err
	}
	if pump, err = j.NewPump("webhook", hook); err != nil {
		return nil, err
	}
	return append(sinks, sink{name: "webhook", pump: pump, close: hook.Close}), nil
}

func webhookOptions(o Options, reg prometheus.Registerer) webhook.Options {
	w := o.Audit.Webhook
	return webhook.Options{
		URL: w.URL, HTTPConfigFile: w.HTTPConfigFile, Format: w.Format, Timeout: w.Timeout,
		UserAgent: "zkwarden/" + version.Version, Logger: o.Logger, Registry: reg,
	}
}

// deliver runs the pumps of all sinks and returns when all have ended; the
// failure of one ends the others.
func deliver(ctx context.Context, sinks []sink) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range sinks {
		group.Go(func() error {
			defer s.close()
			if err := s.pump.Run(ctx); err != nil {
				return fmt.Errorf("deliver to %s: %w", s.name, err)
			}
			return nil
		})
	}
	return group.Wait()
}
