package main

import (
	"errors"
	"fmt"
	"strconv"

	"gopkg.in/alecthomas/kingpin.v2"
)

// named is the value of a flag whose errors tell which flag is meant, wherever
// the text came from. Kingpin's own errors show the text alone.
type named struct {
	kingpin.Value
	flag string
}

// nameCulprits makes the values of all flags named ones.
func nameCulprits(app *kingpin.Application) {
	model := app.Model()
	for _, flag := range model.Flags {
		app.GetFlag(flag.Name).SetValue(named{flag.Value, flag.Name})
	}
	for _, command := range model.Commands {
		clause := app.GetCommand(command.Name)
		for _, flag := range command.Flags {
			clause.GetFlag(flag.Name).SetValue(named{flag.Value, flag.Name})
		}
	}
}

// Set parses the text.
func (n named) Set(text string) error {
	err := n.Value.Set(text)
	if number, ok := errors.AsType[*strconv.NumError](err); ok {
		return fmt.Errorf("--%s: %q: %w", n.flag, number.Num, number.Err) // Without the name of a Go function.
	}
	if err != nil {
		return fmt.Errorf("--%s: %w", n.flag, err)
	}
	return nil
}

// IsBoolFlag tells kingpin that the flag takes no text.
func (n named) IsBoolFlag() bool {
	value, ok := n.Value.(interface{ IsBoolFlag() bool })
	return ok && value.IsBoolFlag()
}

// IsCumulative tells kingpin that the flag may be repeated.
func (n named) IsCumulative() bool {
	value, ok := n.Value.(interface{ IsCumulative() bool })
	return ok && value.IsCumulative()
}
