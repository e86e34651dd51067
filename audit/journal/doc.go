// Package journal keeps audit events in order, durable and tamper-evident,
// and hands them to sinks.
//
// # Promises
//
// What is durable stays: [Journal.Flush] returns, and a [Cursor] returns
// lines, only after the bytes were fsynced. Whatever the disk refuses is kept
// in memory and tried again every second; nothing appended is dropped while
// the process lives, and [Journal.Append] blocks once too much waits. A journal
// whose lines do not prove each other is never continued: [Open] refuses it
// with a [BrokenError] that names the place.
//
// # Files
//
// A journal is a directory, owned by one process at a time through an flock
// on its file "lock". Every file is a regular one, or a symbolic link to one,
// and made with mode 0600; anything else in its place is damage.
//
//	journal-00000000000000000001.jsonl  records; the number is the first seq in the file
//	head                                "<seq>:<hash>\n" of the last durable record
//	cursor-<name>                       "<seq>:<hash>\n" of the last record that consumer acknowledged
//	lock                                the process id of the owner
//
// The files journal-*.jsonl, in the order of their numbers, make one sequence
// of lines. Each line is one JSON object that ends with one newline (0x0A),
// is at most 16 MiB long without it, and begins with
//
//	{"schema":"zkwarden/v1","seq":N,
//
// where N is the record's place, counted from 1 without holes, and ends with
//
//	,"prev":"<64 hex digits>","hash":"<64 hex digits>"}
//
// A segment ends when it has reached the size or the age in [Limits]. The next
// one is durable in the directory before it gets records, which a crash can
// therefore leave empty.
//
// # Chain
//
// "hash" is the SHA-256, in lowercase hex, of the bytes of the line before the
// last occurrence of `,"hash":`, which is to say of the line without its last
// 75 bytes. "prev" is the hash of the line before, or 64 zeros in the first
// line. It stands within the hashed bytes, so each hash vouches for every line
// up to its own. The first record of each segment also has the member "chain",
// 32 random hex digits that tell this journal from any other.
//
// To verify a journal, as [Verify] does: for each line, compare the computed
// hash with "hash", "prev" with the "hash" of the line before, and "seq" with
// its seq plus one; compare the number in each file's name with the seq of its
// first line, and the "chain" there with that of the other segments; then find
// the line whose seq is in "head" and compare its hash. A journal that ends
// before its head has lost records. One that goes on behind its head is sound:
// the head follows each fsync, and a crash can come between them.
//
// # Retention
//
// The oldest segment is removed when the journal has grown too large or the
// segment too old, every cursor that has a file has acknowledged all of it, and
// the mirror has it, as [Journal.Keep] says. Before, a control record
// "retention" is durable, whose "anchor" is "<seq>:<hash>" of the segment's
// last record and whose "chain" is the chain id. There is one for each segment,
// so whatever a crash leaves, the first record that is there follows an anchor
// in the journal. If it does not, segments are missing. The first record of
// each segment repeats the newest anchor before it, so that [Open] finds it by
// reading the last segment, and the first and the last line of the others;
// what a crash kept from being removed, the next start removes.
//
// With a hard size, a segment also goes when cursors have not acknowledged it.
// A record of kind "gap" for each of them stands before the retention record,
// with a "reason" that names the sink and the records, and their "count". The
// cursor goes on with the first record that is there.
//
// # Head and cursors
//
// Head and cursor files are overwritten in place by one write of at most 86
// bytes, without fsync. That fits one disk sector, so a crash leaves the old
// text or the new; when the seq gains a digit, and the length of the file would
// change, a new file is renamed over it instead. After a power cut the text may
// be older than what was written last, never newer than the durable records: a
// stale head proves less, a stale cursor repeats lines. A program that reads
// them beside a running journal reads twice, until both answers agree, and
// reads them before the records: then what they name is there. [Verify] and
// [Browse] do so, and take no lock.
//
// # Crashes
//
// Records are written in groups, each ended by one fsync. A crash can leave
// the last line torn. Open leaves it out and puts a control record "repair" in
// its place, provided that the head does not claim more: then the line had
// been durable and its loss is no accident, and that it is no longer than
// anything that was ever written at once. Damage anywhere else is refused.
package journal
