package check

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// flagInHelp finds the flags in what --help prints. The tests of the command
// hold those files to the binary.
var flagInHelp = regexp.MustCompile(`(?m)^ +(?:-., )?--(?:\[no-\])?([a-z0-9.-]+)`)

// known are the flags of the binary by command; "" has those of all.
type known map[string]map[string]bool

func knownFlags(t *testing.T) known {
	t.Helper()
	all := known{"": {}}
	for _, path := range glob(t, "../../testdata/help-*.txt") {
		command := strings.TrimSuffix(path[strings.LastIndex(path, "help-")+len("help-"):], ".txt")
		all[command] = map[string]bool{}
		for _, found := range flagInHelp.FindAllStringSubmatch(string(read(t, path)), -1) {
			all[command][found[1]], all[""][found[1]] = true, true
		}
	}
	return all
}

// faults lists what a command line or an environment has that the binary does
// not know. The command stands first, or is run.
func (k known) faults(args []string, env []string) (found []string) {
	command := "run"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	flags, exists := k[command]
	if !exists || command == "" {
		return []string{"there is no command " + command}
	}
	for _, arg := range args {
		name, isFlag := strings.CutPrefix(arg, "--")
		name, _, _ = strings.Cut(name, "=")
		if isFlag && !flags[name] {
			found = append(found, command+" has no flag --"+name)
		}
	}
	variables := map[string]bool{}
	for name := range k[""] {
		variables["ZKWARDEN_"+strings.NewReplacer(".", "_", "-", "_").Replace(strings.ToUpper(name))] = true
	}
	for _, name := range env {
		if strings.HasPrefix(name, "ZKWARDEN_") && !variables[name] {
			found = append(found, "no flag has the variable "+name)
		}
	}
	return found
}

// TestFlagsExist holds every manifest to flags and variables of the binary.
func TestFlagsExist(t *testing.T) {
	flags := knownFlags(t)
	lines, manifests := 0, everything(t)
	settings := configMaps(t, manifests)
	for _, m := range manifests {
		object, err := decode(m)
		if err != nil {
			t.Fatal(err)
		}
		p := podOf(object)
		if p == nil {
			continue
		}
		for _, c := range p.ours {
			if c.Name != "zkwarden" {
				continue
			}
			lines++
			env := []string{}
			for _, e := range c.Env {
				env = append(env, e.Name)
			}
			for _, from := range c.EnvFrom {
				if from.ConfigMapRef == nil || settings[from.ConfigMapRef.Name] == nil {
					t.Errorf("%s: the environment is of something that is not there", m)
					continue
				}
				env = append(env, settings[from.ConfigMapRef.Name]...)
			}
			for _, fault := range flags.faults(c.Args, env) {
				t.Errorf("%s: %s", m, fault)
			}
			for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe} {
				if probe != nil && probe.Exec != nil {
					for _, fault := range flags.faults(probe.Exec.Command[1:], nil) {
						t.Errorf("%s: %s", m, fault)
					}
				}
			}
		}
	}
	if lines < 12 {
		t.Errorf("looked at %d command lines, fewer than there are", lines)
	}
}

// configMaps returns the keys of each, by its name.
func configMaps(t *testing.T, manifests []manifest) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, m := range manifests {
		object, err := decode(m)
		if err != nil {
			t.Fatal(err)
		}
		if c, isMap := object.(*corev1.ConfigMap); isMap {
			all[m.name] = slices.Sorted(maps.Keys(c.Data))
		}
	}
	return all
}

// TestFaultsAreFound sees what is wrong found.
func TestFaultsAreFound(t *testing.T) {
	flags := knownFlags(t)
	for _, test := range []struct {
		args, env []string
		want      int
	}{
		{[]string{"run", "--zookeeper.address=x", "--collector.cons"}, []string{"ZKWARDEN_ENSEMBLE_NAME", "GOMEMLIMIT"}, 0},
		{[]string{"--zookeeper.adress=x"}, nil, 1},
		{[]string{"verify", "/data", "--audit.path=/x"}, nil, 1},
		{[]string{"health", "--ready"}, nil, 0},
		{[]string{"serve"}, nil, 1},
		{nil, []string{"ZKWARDEN_ENSEMBLE"}, 1},
	} {
		if found := flags.faults(test.args, test.env); len(found) != test.want {
			t.Errorf("%q %q: found %q, want %d faults", test.args, test.env, found, test.want)
		}
	}
}

// TestUnitFlags holds the systemd unit and its settings to the binary.
func TestUnitFlags(t *testing.T) {
	flags := knownFlags(t)
	unit := string(read(t, "../systemd/zkwarden.service"))
	_, line, found := strings.Cut(unit, "ExecStart=/usr/local/bin/zkwarden ")
	if !found {
		t.Fatal("the unit starts no zkwarden")
	}
	line, _, _ = strings.Cut(line, "\n")
	env := regexp.MustCompile(`ZKWARDEN_[A-Z_]+=`).FindAllString(unit+string(read(t, "../systemd/zkwarden.default")), -1)
	for i := range env {
		env[i] = strings.TrimSuffix(env[i], "=")
	}
	if len(env) < 4 {
		t.Errorf("found the variables %q, fewer than there are", env)
	}
	for _, fault := range flags.faults(strings.Fields(line), env) {
		t.Errorf("zkwarden.service: %s", fault)
	}
}
