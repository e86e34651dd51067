package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages are the texts for readers, by path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/runbooks/*.md", "deploy/*/*.md", "deploy/helm/*/*.md"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts[path] = string(text)
		}
	}
	return texts
}

// TestDocsLinks holds links within the repository to files and headings that exist.
func TestDocsLinks(t *testing.T) {
	links := 0
	for page, text := range pages(t) {
		for _, found := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(text, -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			links++
			if err := lookUp(page, found[1]); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
	if links < 100 {
		t.Errorf("only %d links were found", links)
	}
	for _, broken := range []string{"docs/nowhere.md", "docs/audit.md#nowhere", "#nowhere"} {
		if lookUp("README.md", broken) == nil {
			t.Errorf("%s leads somewhere", broken)
		}
	}
}

// lookUp follows a link of a page to its file and its heading.
func lookUp(page, link string) error {
	file, heading, _ := strings.Cut(link, "#")
	path := page
	if file != "" {
		path = filepath.Join(filepath.Dir(page), file)
	}
	if heading == "" {
		_, err := os.Stat(path)
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, line := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
		anchor := regexp.MustCompile(`[^\w -]`).ReplaceAllString(strings.ToLower(line[1]), "")
		if strings.ReplaceAll(anchor, " ", "-") == heading {
			return nil
		}
	}
	return fmt.Errorf("%s has no heading for %s", path, link)
}

// TestDocsAreFound sees every page of docs named by the README, so that readers find it.
func TestDocsAreFound(t *testing.T) {
	all := pages(t)
	for page := range all {
		wanted := filepath.Dir(page) == "docs" || page == "docs/runbooks/README.md"
		if wanted && !strings.Contains(all["README.md"], "("+page) {
			t.Errorf("README.md does not name %s", page)
		}
	}
}

// TestDocsMetrics holds the metrics that pages name to the references, which are held
// to the code by the tests of collector and internal/app.
func TestDocsMetrics(t *testing.T) {
	all := pages(t)
	reference := all["docs/metrics.md"] + all["docs/own-metrics.md"]
	named := 0
	for page, text := range all {
		for _, name := range regexp.MustCompile(`\bz(?:ookeeper|kwarden)_[a-z_]*[a-z]\b`).FindAllString(text, -1) {
			named++
			known := name == "zookeeper_exporter" || strings.Contains(text, name+"_*") // A program; a family.
			for _, suffix := range []string{"", "_sum", "_count", "_bucket"} {
				base, ok := strings.CutSuffix(name, suffix)
				known = known || ok && strings.Contains(reference, "| `"+base+"` |")
			}
			if !known {
				t.Errorf("%s: there is no metric %s", page, name)
			}
		}
	}
	if named < 300 {
		t.Errorf("only %d names of metrics were found", named)
	}
}
