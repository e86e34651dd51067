package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"gopkg.in/alecthomas/kingpin.v2"

	"zkwarden/audit"
	"zkwarden/audit/journal"
	"zkwarden/internal/cli"
)

var (
	errDiffOfJSON = errors.New("--diff is for people, --json for programs: choose one")
	errAuditDir   = errors.New("--audit.dir is empty")
)

// journalFlags are the flags of run that are about the journal's files.
func (f *flags) journalFlags() {
	c, l := f.runCommand, &f.run.Audit.Journal
	c.Flag("audit.segment-size", "Begin another file of the journal when one has so many bytes: 64MiB, 1GiB; 0 for no limit.").
		Default("64MiB").SetValue((*byteSize)(&l.SegmentSize))
	c.Flag("audit.segment-age", "Begin another file of the journal when one is so old: 12h, 7d; 0 for no limit.").
		Default("1d").SetValue((*span)(&l.SegmentAge))
	c.Flag("audit.retention-size", "Remove the oldest files of the journal that every sink has read while all of them have more bytes; 0 to keep everything.").
		Default("0").SetValue((*byteSize)(&l.RetentionSize))
	c.Flag("audit.retention-time", "Remove files of the journal that every sink has read when all their records are older: 90d; 0 to keep everything.").
		Default("0").SetValue((*span)(&l.RetentionTime))
	c.Flag("audit.retention-hard-size", "Remove the oldest files of the journal while all of them have more bytes, even if a sink has not read them: it loses records then, which a gap record tells. 0 to lose nothing.").
		Default("0").SetValue((*byteSize)(&l.RetentionHardSize))
}

// verifyFlags holds what the command line says about verify.
type verifyFlags struct {
	clause  *kingpin.CmdClause
	options cli.VerifyOptions
	dir     string // Of the flag; the argument goes first.
	heads   []string
}

func (f *flags) verifyFlags() {
	c, v := f.app.Command("verify", "Check a journal: that no record was changed, removed or added. Works beside the process that writes it, and on a copy."), &f.verify
	v.clause = c
	c.Arg("dir", "Directory of the journal; that of --audit.dir by default.").StringVar(&v.options.Dir)
	c.Flag("audit.dir", "Directory of the journal.").Default("data/").StringVar(&v.dir)
	c.Flag("head", "What someone else has seen of the journal, repeatable: a seq and the check or the hash of that record. Prometheus has both as zkwarden_journal_head_seq and zkwarden_journal_head_check.").
		PlaceHolder("SEQ:CHECK").StringsVar(&v.heads)
	c.Flag("chain", "The chain id that the journal has to have, which tells it from another one that was begun in its place.").PlaceHolder("ID").StringVar(&v.options.Chain)
	c.Flag("json", "Print a JSON object.").BoolVar(&v.options.JSON)
}

func (f *flags) checkVerify() error {
	v := &f.verify
	if v.options.Dir == "" {
		v.options.Dir = v.dir
	}
	if v.options.Dir == "" {
		return errAuditDir
	}
	for _, text := range v.heads {
		head, err := journal.ParseHead(text)
		if err != nil {
			return fmt.Errorf("--head: %w", err)
		}
		v.options.Heads = append(v.options.Heads, head)
	}
	return nil
}

func (f *flags) verifyOptions(stdout, stderr io.Writer) cli.VerifyOptions {
	o := f.verify.options
	o.Progress = progress(stdout, stderr)
	return o
}

// logFlags holds what the command line says about log.
type logFlags struct {
	clause                        *kingpin.CmdClause
	options                       cli.LogOptions
	since, until, seqs            string
	ops, kinds, sources, sessions []string
}

func (f *flags) logFlags() {
	c, l := f.app.Command("log", "Print what the journal has recorded, one record a line. Works beside the process that writes it."), &f.log
	l.clause = c
	c.Flag("audit.dir", "Directory of the journal.").Default("data/").StringVar(&l.options.Dir)
	c.Flag("path", "Only changes of this znode and of everything below it, or of the znodes that a glob such as /kafka/*/config or /kafka/**/topics matches; and gaps, which may be about any. Repeatable.").
		PlaceHolder("GLOB").StringsVar(&l.options.Filter.Paths)
	c.Flag("op", "Only this operation, repeatable: created, data_changed, acl_changed, deleted or children_changed.").PlaceHolder("OP").
		EnumsVar(&l.ops, string(audit.OpCreated), string(audit.OpDataChanged), string(audit.OpACLChanged), string(audit.OpDeleted), string(audit.OpChildrenChanged))
	c.Flag("kind", "Only this kind of record, repeatable: change, gap, checkpoint or control.").PlaceHolder("KIND").
		EnumsVar(&l.kinds, string(audit.KindChange), string(audit.KindGap), string(audit.KindCheckpoint), string(audit.KindControl))
	c.Flag("source", "Only changes found in this way, repeatable: watch, resync, sweep or txnlog.").PlaceHolder("SOURCE").
		EnumsVar(&l.sources, string(audit.OriginWatch), string(audit.OriginResync), string(audit.OriginSweep), string(audit.OriginTxnlog))
	c.Flag("session", "Only changes by this session, or of ephemeral znodes that belong to it, repeatable; hexadecimal with 0x.").PlaceHolder("ID").StringsVar(&l.sessions)
	c.Flag("since", "Only records made at or after this time: 2006-01-02T15:04:05Z, 2006-01-02, or 2h ago as 2h.").PlaceHolder("TIME").StringVar(&l.since)
	c.Flag("until", "Only records made before this time.").PlaceHolder("TIME").StringVar(&l.until)
	c.Flag("seq", "Only records with these places in the journal: A..B, A.., ..B or A.").PlaceHolder("RANGE").StringVar(&l.seqs)
	c.Flag("limit", "Only the last so many of these records; 0 for all.").Short('n').Default("0").IntVar(&l.options.Limit)
	c.Flag("follow", "Go on with new records as they are made.").Short('f').BoolVar(&l.options.Follow)
	c.Flag("diff", "Show the content before and after each change as a unified diff.").BoolVar(&l.options.Diff)
	c.Flag("json", "Print the very lines of the journal.").BoolVar(&l.options.JSON)
}

func (f *flags) checkLog() error {
	l := &f.log
	filter := &l.options.Filter
	switch {
	case l.options.Dir == "":
		return errAuditDir
	case l.options.Diff && l.options.JSON:
		return errDiffOfJSON
	case l.options.Limit < 0:
		return fmt.Errorf("--limit: %d is negative", l.options.Limit)
	}
	filter.Ops, filter.Kinds, filter.Sources = as[audit.Op](l.ops), as[audit.Kind](l.kinds), as[audit.Origin](l.sources)
	if err := parseFilter(filter, l.sessions, l.since, l.until, time.Now()); err != nil {
		return err
	}
	if l.seqs != "" {
		var err error
		if filter.From, filter.To, err = cli.ParseSeqs(l.seqs); err != nil {
			return fmt.Errorf("--seq: %w", err)
		}
	}
	return nil
}

// parseFilter checks the paths of a filter, and sets what is given as text.
func parseFilter(filter *cli.LogFilter, sessions []string, since, until string, now time.Time) (err error) {
	for _, path := range filter.Paths {
		if err := cli.ValidateGlob(path); err != nil {
			return fmt.Errorf("--path: %w", err)
		}
	}
	for _, text := range sessions {
		var id audit.SessionID
		if err := id.UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("--session: %w", err)
		}
		filter.Sessions = append(filter.Sessions, id)
	}
	if since != "" {
		if filter.Since, err = cli.ParseWhen(since, now); err != nil {
			return fmt.Errorf("--since: %w", err)
		}
	}
	if until != "" {
		if filter.Until, err = cli.ParseWhen(until, now); err != nil {
			return fmt.Errorf("--until: %w", err)
		}
	}
	if since != "" && until != "" && !filter.Since.Before(filter.Until) {
		return fmt.Errorf("--until=%s is not later than --since=%s: nothing lies between them", until, since)
	}
	return nil
}

func (f *flags) logOptions(stdout, stderr io.Writer) cli.LogOptions {
	o := f.log.options
	o.Color = colored(stdout)
	o.Warnings = stderr
	return o
}

// as turns texts that a flag has checked into names.
func as[T ~string](texts []string) (names []T) {
	for _, text := range texts {
		names = append(names, T(text))
	}
	return names
}

// byteSize is a flag in bytes: 1024, 64KiB, 64MiB, 1GiB, 1TiB.
type byteSize int64

// Set parses the text.
func (b *byteSize) Set(text string) error {
	digits, unit := strings.TrimRight(text, "KMGTiB"), int64(1)
	suffix := text[len(digits):]
	switch suffix {
	case "", "B":
	case "KiB", "KB", "K":
		unit = 1 << 10
	case "MiB", "MB", "M":
		unit = 1 << 20
	case "GiB", "GB", "G":
		unit = 1 << 30
	case "TiB", "TB", "T":
		unit = 1 << 40
	default:
		return fmt.Errorf("%q is no size: want a number and KiB, MiB, GiB or TiB", text)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return fmt.Errorf("%q is no size: want a number and KiB, MiB, GiB or TiB", text)
	}
	*b = byteSize(n * unit)
	return nil
}

// String formats what Set has parsed.
func (b *byteSize) String() string { return strconv.FormatInt(int64(*b), 10) }

// span is a flag of time that knows days and weeks: 12h, 90d, 1w.
type span time.Duration

// Set parses the text.
func (s *span) Set(text string) error {
	d, err := model.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is no duration: want 12h, 90d or 1w", text)
	}
	*s = span(d)
	return nil
}

// String formats what Set has parsed.
func (s *span) String() string { return model.Duration(*s).String() }
