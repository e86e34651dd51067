package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/alecthomas/kingpin.v2"

	"github.com/google/go-cmp/cmp"
)

// samples has a value for every flag, none of them the default. What is
// needed beside a flag follows it. A flag that two commands have may have a
// sample for each.
var samples = map[string][]string{
	"zookeeper.address":                  {"zk-1:2182"},
	"zookeeper.tls":                      {"true"},
	"zookeeper.tls-ca-file":              {"ca.pem", "--zookeeper.tls"},
	"zookeeper.tls-cert-file":            {"cert.pem", "--zookeeper.tls", "--zookeeper.tls-key-file=key.pem"},
	"zookeeper.tls-key-file":             {"key.pem", "--zookeeper.tls", "--zookeeper.tls-cert-file=cert.pem"},
	"zookeeper.auth-file":                {"/etc/zookeeper/auth"},
	"zookeeper.tls-server-name":          {"zk.example", "--zookeeper.tls"},
	"zookeeper.tls-min-version":          {"1.3", "--zookeeper.tls"},
	"zookeeper.tls-insecure-skip-verify": {"true", "--zookeeper.tls"},
	"collector.adminserver":              {"off"},
	"ensemble.member":                    {"1=127.0.0.1:2181"},
	"ensemble.timeout":                   {"2s"},
	"ensemble.state-file":                {"members.json"},
	"collector.lifetime":                 {"true"},
	"collector.namespaces-max":           {"7"},
	"collector.namespaces-allow":         {"a*"},
	"collector.namespaces-deny":          {"b*"},
	"collector.slow-interval":            {"2m"},
	"collector.cons":                     {"true"},
	"collector.cons-top":                 {"3"},
	"collector.disk":                     {"/data"},
	"metrics.compat":                     {"zk"},
	"probe.allow":                        {"127.0.0.1:*"},
	"probe.config-file":                  {"modules.yml"},
	"zookeeper.timeout":                  {"7s"},
	"ensemble.name":                      {"prod"},
	"log.level":                          {"debug"},
	"log.format":                         {"json"},
	"web.listen-address":                 {"127.0.0.1:1"},
	"web.config.file":                    {"web.yml"},
	"web.enable-pprof":                   {"true"},
	"audit.path":                         {"/a"},
	"audit.level":                        {"metadata"},
	"audit.policy-file":                  {"policy.yaml"},
	"audit.instance":                     {"zk-0"},
	"check path":                         {"/a", "--audit.policy-file=policy.yaml"},
	"audit.dir":                          {"/var/lib/zkwarden"},
	"audit.digest-key-file":              {"key"},
	"audit.txnlog-dir":                   {"/var/lib/zookeeper"},
	"audit.sweep-interval":               {"1h"},
	"audit.checkpoint-interval":          {"5s"},
	"sink.webhook.url":                   {"http://127.0.0.1:1/"},
	"sink.webhook.http-config-file":      {"http.yml"},
	"sink.webhook.format":                {"array"},
	"sink.webhook.timeout":               {"3s"},
	"audit.segment-size":                 {"1MiB"},
	"audit.segment-age":                  {"1h"},
	"audit.retention-size":               {"1GiB"},
	"audit.retention-time":               {"90d"},
	"audit.retention-hard-size":          {"2GiB"},
	"head":                               {"7:4503599627370495"},
	"chain":                              {"abc"},
	"path":                               {"/a/**"},
	"op":                                 {"created"},
	"kind":                               {"gap"},
	"source":                             {"sweep"},
	"session":                            {"0x10"},
	"since":                              {"2026-11-20"},
	"until":                              {"2026-11-21T10:00:00Z"},
	"seq":                                {"7..9"},
	"limit":                              {"5"},
	"follow":                             {"true"},
	"diff":                               {"true"},
	"stat":                               {"true"},
	"depth":                              {"2"},
	"json":                               {"true"},
	"ready":                              {"true"},
}

// arguments are what a command cannot do without.
var arguments = map[string][]string{"watch": {"/a"}, "dashboards": {"dir"}}

// commandLine is a flag with a command it works for.
type commandLine struct {
	command string
	flag    *kingpin.FlagModel
	global  bool
}

// commandLines lists every flag of every command, except those that answer at
// once and kingpin's hidden ones.
func commandLines() []commandLine {
	model := newFlags().app.Model()
	var lines []commandLine
	for _, command := range model.Commands {
		for _, flag := range model.Flags {
			if !flag.Hidden && flag.Name != "help" && flag.Name != "version" {
				lines = append(lines, commandLine{command.Name, flag, true})
			}
		}
		for _, flag := range command.Flags {
			lines = append(lines, commandLine{command.Name, flag, false})
		}
	}
	return lines
}

// parsed returns everything that the flags say, for comparing.
func parsed(t *testing.T, args ...string) string {
	t.Helper()
	f := newFlags()
	chosen, err := f.parse(args, io.Discard)
	if err != nil {
		t.Fatalf("parse %q: %v", args, err)
	}
	return fmt.Sprintf("%s\n%q %t %+v %q %s %q %q %q %+v %s\n%+v %q\n%+v\n%+v\n%+v\n%+v\n%+v", chosen,
		f.addresses, f.tls, f.tlsFiles, f.authFile, f.timeout, f.ensemble, f.logLevel, f.logFormat, f.ensembleMembers, f.ensembleTimeout,
		f.run, f.explained, f.tree, f.watch, f.health, f.log.options, f.verify.options)
}

func TestEveryFlagHasHelp(t *testing.T) {
	model := newFlags().app.Model()
	for _, command := range model.Commands {
		checkHelp(t, "command "+command.Name, command.Help)
		for _, arg := range command.Args {
			checkHelp(t, "argument "+arg.Name+" of "+command.Name, arg.Help)
		}
	}
	for _, line := range commandLines() {
		checkHelp(t, "--"+line.flag.Name, line.flag.Help)
	}
}

var sentences = regexp.MustCompile(`^[A-Z](?s:.*)\.$`)

func checkHelp(t *testing.T, what, help string) {
	t.Helper()
	if !sentences.MatchString(help) {
		t.Errorf("the help of %s is %q, want sentences", what, help)
	}
}

// A flag means the same on the command line and in the environment.
func TestEnvironment(t *testing.T) {
	for _, line := range commandLines() {
		t.Run(line.command+"/"+line.flag.Name, func(t *testing.T) {
			sample, ok := samples[line.command+" "+line.flag.Name]
			if !ok {
				sample, ok = samples[line.flag.Name]
			}
			if !ok {
				t.Fatalf("--%s has no sample in this test", line.flag.Name)
			}
			args := append([]string{line.command}, arguments[line.command]...)
			args = append(args, sample[1:]...)
			without := ""
			if len(sample) == 1 {
				without = parsed(t, args...)
			}
			flag := "--" + line.flag.Name
			if !line.flag.IsBoolFlag() {
				flag += "=" + sample[0]
			}
			byFlag := parsed(t, append(slices.Clip(args), flag)...)
			if byFlag == without {
				t.Errorf("%s changes nothing", flag)
			}
			name := "ZKWARDEN_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(line.flag.Name))
			t.Setenv(name, sample[0])
			if diff := cmp.Diff(byFlag, parsed(t, args...)); diff != "" {
				t.Errorf("%s=%s differs from %s (-flag +environment):\n%s", name, sample[0], flag, diff)
			}
		})
	}
}

// The flags of connection and log stand before or after any command.
func TestFlagsBeforeAndAfterTheCommand(t *testing.T) {
	for _, line := range commandLines() {
		if !line.global {
			continue
		}
		sample := samples[line.flag.Name]
		flags := append([]string{"--" + line.flag.Name}, sample[1:]...)
		if !line.flag.IsBoolFlag() {
			flags[0] += "=" + sample[0]
		}
		command := append([]string{line.command}, arguments[line.command]...)
		before := parsed(t, append(slices.Clip(flags), command...)...)
		after := parsed(t, append(command, flags...)...)
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("%s: %q (-before +after):\n%s", line.command, flags, diff)
		}
	}
}

func TestRunIsTheDefault(t *testing.T) {
	for _, args := range [][]string{nil, {"--log.level=debug"}, {"--web.listen-address=:1", "--audit.path=/a"}} {
		if diff := cmp.Diff(parsed(t, append([]string{"run"}, args...)...), parsed(t, args...)); diff != "" {
			t.Errorf("%q (-run +nothing):\n%s", args, diff)
		}
	}
}

func TestLists(t *testing.T) {
	want := []string{"a:2181", "b:2182", "[::1]:2181"}
	for name, args := range map[string][]string{
		"repeated": {"--zookeeper.address=a", "--zookeeper.address=b:2182", "--zookeeper.address=[::1]:2181"},
		"commas":   {"--zookeeper.address=a, b:2182,::1"},
		"both":     {"--zookeeper.address=a,b:2182", "tree", "--zookeeper.address=[::1]"},
		"lines":    nil,
	} {
		t.Run(name, func(t *testing.T) {
			if args == nil {
				t.Setenv("ZKWARDEN_ZOOKEEPER_ADDRESS", "a\nb:2182,::1\n")
			}
			f := newFlags()
			if _, err := f.parse(args, io.Discard); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, f.addresses); diff != "" {
				t.Error(diff)
			}
		})
	}
}
