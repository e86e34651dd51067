package prometheus

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// What a member is at a step, as one letter of its timeline.
const (
	leads       = 'L'
	follows     = 'F'
	observes    = 'O'
	standsAlone = 'S'
	notServing  = 'N'
	down        = 'D' // The process is gone, and its sidecar is there.
	gone        = 'G' // The whole pod is gone.
)

// step is the time between two samples, in seconds.
const step = 30

// simulated is an ensemble of which every sidecar shows what it would see.
type simulated struct {
	labels            map[string]string
	voters, observers int
	blind             bool             // Whether no sidecar sees the ensemble, as with /probe.
	unscraped         []int            // Members whose sidecars Prometheus doesn't know.
	timelines         []string         // By id - 1.
	cutFrom           map[int]cut      // By member whose view is cut.
	more              []simulatedInput // Other series, behind those of the simulation.
	steps             int
}

// cut says from which step on a member sees nobody but these.
type cut struct {
	from int
	sees []int
}

// simulatedInput is a series with a value for each step; nil is none.
type simulatedInput struct {
	series string
	values []*float64
}

func (s *simulated) members() int { return s.voters + s.observers }

// simulate returns an ensemble that is well for so many steps.
func simulate(labels map[string]string, voters, observers, steps int) *simulated {
	s := &simulated{labels: labels, voters: voters, observers: observers, steps: steps, cutFrom: map[int]cut{}}
	for id := 1; id <= s.members(); id++ {
		state := follows
		switch {
		case id > voters:
			state = observes
		case voters == 1:
			state = standsAlone
		case id == 1:
			state = leads
		}
		s.timelines = append(s.timelines, strings.Repeat(string(state), steps))
	}
	return s
}

// set makes a member what it is from one step until before another; 0 is the end.
func (s *simulated) set(id, from, until int, state rune) *simulated {
	if until == 0 {
		until = s.steps
	}
	t := s.timelines[id-1]
	s.timelines[id-1] = t[:from] + strings.Repeat(string(state), until-from) + t[until:]
	return s
}

// all sets every voter.
func (s *simulated) all(from, until int, state rune) *simulated {
	for id := 1; id <= s.voters; id++ {
		s.set(id, from, until, state)
	}
	return s
}

// show adds a series of a member. The text is values and how many of each, as in
// "7*20 8*40"; "-" is none.
func (s *simulated) show(id int, name, values string, labels ...string) *simulated {
	s.more = append(s.more, simulatedInput{name + s.with(id, labels...), parse(values)})
	return s
}

func parse(text string) []*float64 {
	var all []*float64
	for field := range strings.FieldsSeq(text) {
		value, times, ok := strings.Cut(field, "*")
		n := 1
		if ok {
			n, _ = strconv.Atoi(times)
		}
		var v *float64
		if value != "-" {
			f, err := strconv.ParseFloat(value, 64)
			if err != nil {
				panic(err)
			}
			v = &f
		}
		for range n {
			all = append(all, v)
		}
	}
	return all
}

// with returns the labels of a series of the member.
func (s *simulated) with(id int, more ...string) string {
	labels := maps.Clone(s.labels)
	labels["instance"] = fmt.Sprintf("zk-%d:9141", id)
	for i := 0; i < len(more); i += 2 {
		labels[more[i]] = more[i+1]
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, fmt.Sprintf("%s=%q", name, labels[name]))
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}

// inputs returns all series, as promtool reads them.
func (s *simulated) inputs() []input {
	var all []simulatedInput
	for id := 1; id <= s.members(); id++ {
		if !slices.Contains(s.unscraped, id) {
			all = append(all, s.own(id)...)
			if !s.blind && s.voters > 1 {
				all = append(all, s.view(id)...)
			}
		}
	}
	var written []input
	for _, in := range slices.Concat(all, s.more) {
		written = append(written, input{in.series, notation(in.values)})
	}
	return written
}

// own is what the member says of itself.
func (s *simulated) own(id int) []simulatedInput {
	all := []simulatedInput{{"zookeeper_up" + s.with(id), s.each(id, func(i int) float64 { return truth(s.timelines[id-1][i] != down) })}}
	for _, state := range []struct {
		name   string
		letter byte
	}{{"leader", leads}, {"follower", follows}, {"observer", observes}, {"standalone", standsAlone}} {
		if strings.IndexByte(s.timelines[id-1], state.letter) < 0 && (state.letter != follows || strings.ContainsAny(s.timelines[id-1], "LOS")) {
			continue // A series of zeros says nothing that another one doesn't.
		}
		all = append(all, simulatedInput{
			"zookeeper_server_state" + s.with(id, "state", state.name),
			s.each(id, func(i int) float64 { return truth(s.timelines[id-1][i] == state.letter) }),
		})
	}
	return all
}

// view is what the member's sidecar sees of all.
func (s *simulated) view(id int) []simulatedInput {
	need := s.voters/2 + 1
	count := func(i int, states string) int {
		n := 0
		for other := 1; other <= s.voters; other++ {
			if strings.IndexByte(states, s.seen(id, other, i)) >= 0 {
				n++
			}
		}
		return n
	}
	all := []simulatedInput{
		{"zookeeper_ensemble_members" + s.with(id), s.each(id, func(int) float64 { return float64(s.members()) })},
		{"zookeeper_ensemble_voters" + s.with(id), s.each(id, func(int) float64 { return float64(s.voters) })},
		{"zookeeper_ensemble_quorum" + s.with(id), s.each(id, func(i int) float64 { return truth(count(i, "LF") >= need) })},
		{"zookeeper_ensemble_leaders" + s.with(id), s.each(id, func(i int) float64 { return float64(count(i, "L")) })},
		{"zookeeper_ensemble_failures_tolerable" + s.with(id), s.each(id, func(i int) float64 { return float64(max(count(i, "LF")-need, 0)) })},
	}
	for other := 1; other <= s.members(); other++ {
		all = append(all, simulatedInput{
			"zookeeper_ensemble_member_up" + s.with(id, "member", strconv.Itoa(other)),
			s.each(id, func(i int) float64 { return truth(strings.IndexByte("DG", s.seen(id, other, i)) < 0) }),
		})
	}
	return all
}

// seen is what one member sees another one be.
func (s *simulated) seen(id, other, i int) byte {
	if c, ok := s.cutFrom[id]; ok && i >= c.from && !slices.Contains(c.sees, other) {
		return down
	}
	return s.timelines[other-1][i]
}

// each returns the values of a series that is there while the pod is.
func (s *simulated) each(id int, value func(i int) float64) []*float64 {
	values := make([]*float64, s.steps)
	for i := range values {
		if s.timelines[id-1][i] != gone {
			v := value(i)
			values[i] = &v
		}
	}
	return values
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// notation writes values as promtool reads them: a series that ends is marked
// stale, as Prometheus does when a scrape fails.
func notation(values []*float64) string {
	var words []string
	times := 0
	flush := func() {
		switch last := len(words) - 1; {
		case times == 0:
		case words[last] == "_":
			words[last] = fmt.Sprintf("_x%d", times+1)
		default:
			words[last] += fmt.Sprintf("x%d", times)
		}
		times = 0
	}
	var last string
	for i, v := range values {
		word := "_"
		switch {
		case v != nil:
			word = strconv.FormatFloat(*v, 'f', -1, 64)
		case i > 0 && values[i-1] != nil:
			word = "stale"
		}
		if word == last {
			times++
			continue
		}
		flush()
		words, last = append(words, word), word
	}
	if last != "_" {
		flush()
		return strings.Join(words, " ")
	}
	return strings.Join(words[:len(words)-1], " ") // What is missing at the end needs no telling.
}
