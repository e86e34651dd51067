#!/usr/bin/env bash
# Builds the pinned tools of this module into the cache.
#
#   build.sh TOOL...        for example: build.sh golangci-lint
#
# The directory is $ZKWARDEN_CACHE/bin; the cache defaults to .cache in the
# repository, and a relative one starts there too. A tool is built once for
# each state of go.mod and each Go; then it starts from the cache.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${ZKWARDEN_CACHE:-.cache}
[[ $cache == /* ]] || cache=$root/$cache

cd "$here"
mkdir -p "$cache/bin"
stamp=$(cat go.mod go.sum <(go env GOVERSION) | sha256sum | cut -d' ' -f1)
for tool in "$@"; do
	binary=$cache/bin/$tool
	if [[ -x $binary && $(cat "$binary.stamp" 2>/dev/null) == "$stamp" ]]; then
		continue
	fi
	package=$(go list -f '{{.ImportPath}}' tool | grep "/$tool\$") || {
		echo "build.sh: go.mod pins no tool named $tool" >&2
		exit 1
	}
	echo "build.sh: building $tool, which takes some minutes once" >&2
	CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags='-s -w' -o "$binary.new" "$package"
	mv "$binary.new" "$binary"
	echo "$stamp" >"$binary.stamp"
done
