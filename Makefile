# Every target does its own set-up on a Debian or Ubuntu machine with Go. What
# it brings lies in $(ZKWARDEN_CACHE), which git ignores.

ZKWARDEN_CACHE ?= $(CURDIR)/.cache
DEMO_SECONDS   ?= 0
BENCH          ?= .
BENCHTIME      ?= 1s
SOAK           ?= 30m
export ZKWARDEN_CACHE DEMO_SECONDS

# The build is a function of the commit: its date is the commit's, not the clock's.
VERSION    ?= $(shell git describe --tags --dirty 2>/dev/null || echo devel)
REVISION   ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
BRANCH     ?= $(shell git rev-parse --abbrev-ref HEAD 2>/dev/null || echo unknown)
BUILD_DATE ?= $(shell TZ=UTC git show -s --format=%cd --date=format-local:%Y%m%d-%H:%M:%S HEAD 2>/dev/null || echo unknown)

STAMP   := github.com/prometheus/common/version
LDFLAGS := -s -w -X $(STAMP).Version=$(VERSION) -X $(STAMP).Revision=$(REVISION) -X $(STAMP).Branch=$(BRANCH) -X $(STAMP).BuildDate=$(BUILD_DATE)

GOLANGCI := $(ZKWARDEN_CACHE)/bin/golangci-lint
LINT_ENV := GOLANGCI_LINT_CACHE="$(ZKWARDEN_CACHE)/golangci-lint"
SCRIPTS   = $(shell find . -path ./.cache -prune -o -name '*.sh' -print) .ci/run
BENCHES   = $(shell grep -rl --include='*_test.go' '^func Benchmark' . | xargs -r -n1 dirname | sort -u)

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help build demo test test-all test-alerts check-deploy check-dashboards pictures soak lint bench fmt clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the static binary ./zkwarden
	CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags '$(LDFLAGS)' -o zkwarden .

# The demo is make's own child, not go's, so that signals reach it.
demo: ## run a three-server ensemble with a sidecar beside each; DEMO_SECONDS=30 ends it by itself
	@internal/zktest/fetch.sh >/dev/null
	@echo "Building zkwarden ..." >&2
	@$(MAKE) -s build
	@go build -buildvcs=false -o "$(ZKWARDEN_CACHE)/bin/demo" ./internal/zktest/demo
	@exec "$(ZKWARDEN_CACHE)/bin/demo" -seconds "$(DEMO_SECONDS)"

# The longest package comes first, so that nothing waits for it in the end.
test: ## run all tests with the race detector, most of them against real servers
	@internal/tools/require.sh go git cc
	@internal/zktest/fetch.sh >/dev/null
	@internal/tools/promtool.sh >/dev/null
	@internal/tools/promtool.sh prometheus >/dev/null
	go test -race -timeout 20m ./internal/app ./...

test-all: ## run the full matrix of ZooKeeper versions and the long model tests
	@internal/tools/require.sh go git cc
	@internal/zktest/fetch.sh >/dev/null
	@internal/tools/promtool.sh >/dev/null
	@internal/tools/promtool.sh prometheus >/dev/null
	ZKWARDEN_TEST=all go test -race -count=1 -timeout 3h ./...

test-alerts: ## lose the quorum of a real ensemble in four ways, and see a real Prometheus fire within 90 seconds
	@internal/tools/require.sh go git
	@internal/zktest/fetch.sh >/dev/null
	@internal/tools/promtool.sh prometheus >/dev/null
	go test -count=1 -timeout 15m -run '^TestLive$$' -v ./deploy/prometheus -live

soak: ## run the model test of the auditor for SOAK, 30m by default; ZKWARDEN_SEED repeats a run
	@internal/tools/require.sh go git cc
	@internal/zktest/fetch.sh >/dev/null
	ZKWARDEN_MODEL=$(SOAK) go test -race -count=1 -timeout 3h -run '^TestModel$$' -v ./internal/app

check-deploy: ## check the chart, kustomizations, compose file, systemd unit and image, without a cluster or an engine
	@internal/tools/require.sh go git yamllint buildah systemd-analyze
	cd deploy/check && go mod tidy -diff && go vet ./... && go test -count=1 -timeout 5m ./...
	cd deploy && yamllint --strict -c check/yamllint.yml .
	deploy/check/unit.sh
	deploy/image.sh

check-dashboards: ## parse the queries of the dashboards, and check their JSON against Grafana's types
	@internal/tools/require.sh go npm
	cd internal/tools/queries && go test -count=1 .
	dashboards/schema/check.sh

pictures: ## draw the dashboards for docs/pictures, with Grafana's components in Chromium
	@internal/tools/require.sh go npm chromium pngquant
	dashboards/render/pictures.sh

lint: ## run golangci-lint and shellcheck
	@internal/tools/require.sh go git shellcheck
	@internal/tools/build.sh golangci-lint
	$(LINT_ENV) "$(GOLANGCI)" run ./...
	cd deploy/check && $(LINT_ENV) "$(GOLANGCI)" run ./...
	shellcheck $(SCRIPTS)

bench: ## run the benchmarks, one package at a time; BENCH=REGEXP and BENCHTIME=DURATION choose
	@internal/zktest/fetch.sh >/dev/null
	go test -run '^$$' -bench '$(BENCH)' -benchtime '$(BENCHTIME)' -p 1 -timeout 1h $(BENCHES)

fmt: ## format all Go files
	@internal/tools/build.sh golangci-lint
	$(LINT_ENV) "$(GOLANGCI)" fmt ./...

clean: ## remove what the build made; the cache stays
	rm -rf zkwarden dist
