package watch

import (
	"math"
	"sync/atomic"
)

// progress tells how much of a walk is done, from 0 to 1, without knowing how
// many znodes there are: every znode has an equal share of what its parent has,
// and what has no children is done when it was read.
type progress struct{ bits atomic.Uint64 }

func (p *progress) reset() { p.bits.Store(0) }

func (p *progress) end() { p.bits.Store(math.Float64bits(1)) }

// add belongs to the one goroutine that walks.
func (p *progress) add(share float64) {
	if share != 0 {
		p.bits.Store(math.Float64bits(min(p.load()+share, 1)))
	}
}

func (p *progress) load() float64 { return math.Float64frombits(p.bits.Load()) }

// Progress returns how much of the walk that runs is done, or of the last one:
// 0 at its beginning, 1 at its end, and never less than a moment before. It
// takes the subtrees of siblings for equally large.
func (s *Source) Progress() float64 { return s.progress.load() }
