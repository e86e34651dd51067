package collector

import (
	"context"
	"errors"
	"io"
	"time"

	"zkwarden/internal/fourletter"
)

// ask asks one word and reads the reply as it comes.
func (c *Collector) ask(ctx context.Context, word fourletter.Word) outcome {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	o := outcome{word: word}
	start := time.Now()
	err := c.read(ctx, &o)
	o.took = time.Since(start)
	if err != nil {
		o.err = c.failure(word, err)
	}
	switch o.reason() {
	case fourletter.NotServing, fourletter.NotWhitelisted:
		o.heard = true
	}
	return o
}

func (c *Collector) read(ctx context.Context, o *outcome) error {
	reply, err := c.client.Open(ctx, c.addr, o.word)
	if err != nil {
		return err
	}
	defer reply.Close()
	if o.word == fourletter.Ruok {
		o.heard, err = readRuok(reply)
		return err
	}
	said := newSamples(c.table)
	parse := readMntr
	if o.word == fourletter.Srvr {
		parse = readSrvr
	}
	lines, err := parse(reply, said)
	if lines > 0 {
		o.heard, o.said = true, said
	}
	return err
}

// readRuok tells whether the reply is the one that ruok has.
func readRuok(r io.Reader) (bool, error) {
	text, err := io.ReadAll(io.LimitReader(r, 5))
	if err == nil && string(text) != "imok" {
		err = errGarbage
	}
	return err == nil, err
}

// failure gives every error of a reader or parser its reason.
func (c *Collector) failure(word fourletter.Word, err error) *fourletter.Error {
	var failure *fourletter.Error
	switch {
	case errors.As(err, &failure):
		return failure
	case errors.Is(err, errTruncated):
		return &fourletter.Error{Word: word, Addr: c.addr, Reason: fourletter.Truncated, Err: err}
	}
	return &fourletter.Error{Word: word, Addr: c.addr, Reason: fourletter.Unparsable, Err: err}
}
