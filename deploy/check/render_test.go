package check

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	k8syaml "sigs.k8s.io/yaml"
)

const chartDir = "../helm/zkwarden"

// manifest is one object as it would go to the API server.
type manifest struct {
	source string // The values, kustomization or file that it came of.
	kind   string
	name   string
	yaml   []byte
}

func (m manifest) String() string { return m.source + ": " + m.kind + "/" + m.name }

// split takes a stream of YAML apart. It decodes each document with a parser
// that refuses keys that come twice.
func split(source string, stream []byte) ([]manifest, error) {
	var all []manifest
	for decoder := yaml.NewDecoder(bytes.NewReader(stream)); ; {
		var document map[string]any
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", source, err, stream)
		}
		if document == nil {
			continue
		}
		text, err := yaml.Marshal(document)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
		metadata, _ := document["metadata"].(map[string]any)
		all = append(all, manifest{source, fmt.Sprint(document["kind"]), fmt.Sprint(metadata["name"]), text})
	}
}

func mustSplit(t *testing.T, source string, stream []byte) []manifest {
	t.Helper()
	all, err := split(source, stream)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// render is helm template, for a release named "zk" in a namespace "kafka".
func render(values map[string]any) (map[string]string, error) {
	chart, err := loader.Load(chartDir)
	if err != nil {
		return nil, err
	}
	if err := chartutil.ProcessDependencies(chart, values); err != nil {
		return nil, err
	}
	release := chartutil.ReleaseOptions{Name: "zk", Namespace: "kafka", Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, values, release, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(chart, all)
}

// chartManifests renders the chart with values, NOTES.txt left out.
func chartManifests(t *testing.T, source string, values map[string]any) []manifest {
	t.Helper()
	files, err := render(values)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	var all []manifest
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if filepath.Ext(name) == ".yaml" {
			all = append(all, mustSplit(t, source+" "+filepath.Base(name), []byte(files[name]))...)
		}
	}
	return all
}

func readValues(t *testing.T, path string) map[string]any {
	t.Helper()
	return parseValues(t, string(read(t, path)))
}

func parseValues(t *testing.T, text string) map[string]any {
	t.Helper()
	values := map[string]any{}
	if err := k8syaml.UnmarshalStrict([]byte(text), &values); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return values
}

// ciValues are the files with values that the chart is rendered with.
func ciValues(t *testing.T) []string {
	t.Helper()
	return glob(t, chartDir+"/ci/*-values.yaml")
}

func kustomize(t *testing.T, dir string) []manifest {
	t.Helper()
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatalf("kustomize build %s: %v", dir, err)
	}
	stream, err := objects.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return mustSplit(t, dir, stream)
}

// withComponent applies a component to the servers of the example.
func withComponent(t *testing.T, component string) []manifest {
	t.Helper()
	files := filesys.MakeFsInMemory()
	copyInto(t, files, "/"+component, "../kustomize/"+component)
	write(t, files, "/zookeeper.yaml", read(t, "../examples/zookeeper.yaml"))
	write(t, files, "/kustomization.yaml", []byte("resources: [zookeeper.yaml]\ncomponents: ["+component+"]\n"))
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, "/")
	if err != nil {
		t.Fatalf("component %s: %v", component, err)
	}
	stream, err := objects.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return mustSplit(t, component, stream)
}

// everything is all that anybody could apply.
func everything(t *testing.T) []manifest {
	t.Helper()
	var all []manifest
	for _, path := range ciValues(t) {
		all = append(all, chartManifests(t, filepath.Base(path), readValues(t, path))...)
	}
	all = append(all, kustomize(t, "../kustomize/auditor")...)
	all = append(all, kustomize(t, "../examples")...)
	all = append(all, withComponent(t, "component-native-sidecar")...)
	all = append(all, withComponent(t, "component-container")...)
	for _, m := range all {
		all = append(all, patched(t, m)...)
	}
	return append(all, foreign(t)...)
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("nothing matches %s: %v", pattern, err)
	}
	return paths
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, files filesys.FileSystem, path string, text []byte) {
	t.Helper()
	if err := files.WriteFile(path, text); err != nil {
		t.Fatal(err)
	}
}

func copyInto(t *testing.T, files filesys.FileSystem, to, from string) {
	t.Helper()
	for _, path := range glob(t, from+"/*") {
		write(t, files, filepath.Join(to, filepath.Base(path)), read(t, path))
	}
}

// indent sets every line of text in by so many blanks.
func indent(text string, blanks int) string {
	in := strings.Repeat(" ", blanks)
	return in + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+in)
}
