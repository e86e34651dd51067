package app

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// diskPatience is how long a scrape waits for a disk. One that hangs keeps its
// own series from the page, and nothing else.
const diskPatience = time.Second

// space is what a file system has, in bytes.
type space struct{ available, size uint64 }

// disks exports the space of the file systems that directories lie on. A
// directory whose disk doesn't tell has no series.
type disks struct {
	available, size *prometheus.Desc
	spaceOf         func(directory string) (space, error)
	asked           map[string]chan chan<- space // By directory; one question each at a time.
}

// newDisks starts nothing: a disk is asked when it is scraped.
func newDisks(directories []string, spaceOf func(string) (space, error)) *disks {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("zkwarden_disk_"+name, help, []string{"directory"}, nil)
	}
	d := &disks{
		available: desc("available_bytes", "Space that is left on the disk of the audit directory, and of those of --collector.disk."),
		size:      desc("size_bytes", "Size of that disk."),
		spaceOf:   spaceOf,
		asked:     map[string]chan chan<- space{},
	}
	for _, directory := range directories {
		d.asked[directory] = make(chan chan<- space, 1)
	}
	return d
}

// Describe implements prometheus.Collector.
func (d *disks) Describe(ch chan<- *prometheus.Desc) {
	ch <- d.available
	ch <- d.size
}

// Collect implements prometheus.Collector. Disks are asked at the same time.
func (d *disks) Collect(ch chan<- prometheus.Metric) {
	var waiting sync.WaitGroup
	for directory := range d.asked {
		waiting.Go(func() {
			if s, ok := d.await(directory); ok {
				ch <- prometheus.MustNewConstMetric(d.available, prometheus.GaugeValue, float64(s.available), directory)
				ch <- prometheus.MustNewConstMetric(d.size, prometheus.GaugeValue, float64(s.size), directory)
			}
		})
	}
	waiting.Wait()
}

// await asks the disk, unless the last question still waits for its answer.
func (d *disks) await(directory string) (s space, ok bool) {
	answer := make(chan space, 1)
	select {
	case d.asked[directory] <- answer:
		go d.ask(directory)
	default:
		return space{}, false
	}
	timer := time.NewTimer(diskPatience)
	defer timer.Stop()
	select {
	case s, ok = <-answer:
		return s, ok
	case <-timer.C:
		return space{}, false
	}
}

// ask answers the question that stands in the directory's channel.
func (d *disks) ask(directory string) {
	s, err := d.spaceOf(directory)
	answer := <-d.asked[directory]
	if err == nil {
		answer <- s
	}
	close(answer)
}
