package collector

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"zkwarden/internal/fourletter"
)

// maxSmall is the longest reply, in bytes, that is read of words whose answer is
// small; none comes near it.
const maxSmall = 256 << 10

// environment is what envi says of the server's host and Java.
type environment struct {
	javaVersion, javaVendor, osName, osVersion, osArch string
}

// reader reads the answer to one word into s, and returns how much of it was
// what the word answers; version is the server's, as far as it is known.
type reader func(r io.Reader, s *samples, version string) (int, error)

func readerOf(word fourletter.Word) reader {
	switch word {
	case fourletter.Srvr:
		return func(r io.Reader, s *samples, _ string) (int, error) { return readSrvr(r, s) }
	case fourletter.Ruok:
		return readRuok
	case fourletter.Isro:
		return readIsro
	case fourletter.Conf:
		return readLimits
	case fourletter.Dirs:
		return readDirs
	case fourletter.Wchs:
		return readWchs
	case fourletter.Envi:
		return readEnvi
	case fourletter.Cons:
		return readCons
	}
	return func(r io.Reader, s *samples, _ string) (int, error) { return readMntr(r, s) }
}

// readSmall reads a reply whole.
func readSmall(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSmall+1))
	if err == nil && len(text) > maxSmall {
		err = fmt.Errorf("%w: more than %d bytes", errTooLong, maxSmall)
	}
	return string(text), err
}

func readRuok(r io.Reader, _ *samples, _ string) (int, error) {
	text, err := readSmall(r)
	if err == nil && text != "imok" {
		err = errGarbage
	}
	if err != nil {
		return 0, err
	}
	return 1, nil
}

// readIsro reads "rw" or "ro". A server that serves nobody says "null".
func readIsro(r io.Reader, s *samples, _ string) (int, error) {
	text, err := readSmall(r)
	switch {
	case err != nil:
		return 0, err
	case text == "rw":
		s.putOf(fourletter.Isro, "read_only", "0")
	case text == "ro":
		s.putOf(fourletter.Isro, "read_only", "1")
	case text == "null":
		return 1, errNotServing
	default:
		return 0, errGarbage
	}
	return 1, nil
}

// readLimits reads from conf what is a number.
func readLimits(r io.Reader, s *samples, version string) (int, error) {
	c, err := readConf(r)
	if err != nil {
		return 0, err
	}
	data, logs := c.values["dataDirSize"], c.values["dataLogSize"]
	if dirsSwapped(version) {
		data, logs = logs, data
	}
	for key, value := range c.values {
		switch key {
		case "dataDirSize":
			value = data
		case "dataLogSize":
			value = logs
		}
		s.putOf(fourletter.Conf, key, value)
	}
	return len(c.values), nil
}

// readDirs reads the two sizes; ClickHouse Keeper has a name of its own for the first.
func readDirs(r io.Reader, s *samples, version string) (int, error) {
	values := map[string]string{}
	err := eachLine(r, func(line []byte) {
		if key, value, ok := bytes.Cut(line, []byte(": ")); ok {
			values[string(key)] = string(value)
		}
	}, func() {})
	if err != nil {
		return 0, err
	}
	data, logs := cmp.Or(values["datadir_size"], values["snapshot_dir_size"]), cmp.Or(values["logdir_size"], values["log_dir_size"])
	if data == "" || logs == "" {
		return 0, errGarbage
	}
	if dirsSwapped(version) {
		data, logs = logs, data
	}
	s.putOf(fourletter.Dirs, "datadir_size", data)
	s.putOf(fourletter.Dirs, "logdir_size", logs)
	return 2, nil
}

// dirsSwapped tells whether the server confuses the sizes of its two directories
// in conf and dirs, as releases before 3.8.4 and 3.9.2 do (ZOOKEEPER-4730).
func dirsSwapped(version string) bool {
	r := releaseOf(version)
	return r.before(release{3, 8, 4}) || !r.before(release{3, 9, 0}) && r.before(release{3, 9, 2})
}

// readWchs reads "N connections watching M paths" and "Total watches:K".
func readWchs(r io.Reader, s *samples, _ string) (int, error) {
	lines := 0
	err := eachLine(r, func(line []byte) {
		text := string(line)
		if total, ok := strings.CutPrefix(text, "Total watches:"); ok {
			s.putOf(fourletter.Wchs, "watches", strings.TrimSpace(total))
			lines++
			return
		}
		connections, paths, ok := strings.Cut(text, " connections watching ")
		paths, end := strings.CutSuffix(paths, " paths")
		if ok && end {
			s.putOf(fourletter.Wchs, "connections", connections)
			s.putOf(fourletter.Wchs, "paths", paths)
			lines++
		}
	}, func() { s.unparsable++ })
	if err == nil && lines == 0 {
		err = errGarbage
	}
	return lines, err
}

// readEnvi keeps what identifies Java and the operating system, and nothing
// else of the properties: they tell paths, users and hosts.
func readEnvi(r io.Reader, s *samples, _ string) (int, error) {
	var e environment
	wanted := map[string]*string{
		"java.version": &e.javaVersion, "java.vendor": &e.javaVendor,
		"os.name": &e.osName, "os.version": &e.osVersion, "os.arch": &e.osArch,
	}
	lines := 0
	text, err := readSmall(r)
	if err != nil {
		return 0, err
	}
	for scan := bufio.NewScanner(strings.NewReader(text)); scan.Scan(); {
		key, value, _ := strings.Cut(scan.Text(), "=")
		if keep, ok := wanted[key]; ok {
			*keep = shorten(value)
			lines++
		}
	}
	switch {
	case lines == 0:
		return 0, errGarbage
	case !strings.HasSuffix(text, "\n"):
		return lines, errTruncated
	}
	s.env = e
	return lines, nil
}

// shorten makes a label value of what a server says, which may be anything.
func shorten(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) > maxEntry {
		return "unknown"
	}
	return text
}

// release is a version of ZooKeeper, as numbers.
type release [3]int

// releaseOf returns 0.0.0 for a version that is no such thing.
func releaseOf(version string) release {
	var r release
	for i, n := range strings.SplitN(versionOf(version), ".", 4) {
		v, err := strconv.Atoi(n)
		if err != nil || i == len(r) {
			break
		}
		r[i] = v
	}
	return r
}

func (r release) before(other release) bool { return slices.Compare(r[:], other[:]) < 0 }
