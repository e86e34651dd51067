package collector

import (
	"context"
	"errors"
	"time"

	"zkwarden/internal/fourletter"
)

// ask asks one word and reads the reply as it comes; version is the server's, as
// far as it is known.
func (c *Collector) ask(ctx context.Context, word fourletter.Word, version string) outcome {
	o := outcome{word: word, asked: time.Now()}
	err := c.read(ctx, &o, version)
	o.took = time.Since(o.asked)
	if err != nil {
		o.err = c.failure(word, err)
	}
	switch o.reason() {
	case fourletter.NotServing, fourletter.NotWhitelisted:
		o.heard = true
	}
	return o
}

func (c *Collector) read(ctx context.Context, o *outcome, version string) error {
	reply, err := c.options.Client.Open(ctx, c.options.Addr, o.word)
	if err != nil {
		return err
	}
	defer reply.Close()
	said := newSamples(c.table, c.currentLimits())
	lines, err := readerOf(o.word)(reply, said, version)
	if lines > 0 {
		o.heard, o.said = true, said
	}
	return err
}

// failure gives every error of a reader or parser its reason.
func (c *Collector) failure(word fourletter.Word, err error) *fourletter.Error {
	var failure *fourletter.Error
	reason := fourletter.Unparsable
	switch {
	case errors.As(err, &failure):
		return failure
	case errors.Is(err, errTruncated):
		reason = fourletter.Truncated
	case errors.Is(err, errTooLong):
		reason = fourletter.TooLarge
	case errors.Is(err, errNotServing):
		reason = fourletter.NotServing
	}
	return &fourletter.Error{Word: word, Addr: c.options.Addr, Reason: reason, Err: err}
}
