package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocsLinks holds links within the repository to files and headings that exist.
func TestDocsLinks(t *testing.T) {
	var pages []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/runbooks/*.md", "deploy/*/*.md", "deploy/helm/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	links := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(string(text), -1) {
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
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "docs/runbooks/README.md") {
		if !strings.Contains(string(readme), "("+page) {
			t.Errorf("README.md does not name %s", page)
		}
	}
}
