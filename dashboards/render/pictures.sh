#!/usr/bin/env bash
# Draws the dashboards for docs/pictures, from what a real Prometheus and the
# records of a real auditor answer. It takes some minutes.
#
#   pictures.sh [RECORDING]
#
# With a directory that an earlier run has recorded into, nothing is recorded.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
recording=${1:-}
if [[ -z $recording ]]; then
	recording=$(mktemp -d)
	trap 'rm -rf "$recording"' EXIT
	echo "pictures.sh: recording, which takes three minutes" >&2
	go test ./dashboards -run '^TestNoEmptyPanel$' -count=1 -timeout 10m -args -record "$recording"
	(cd internal/tools/queries && go test . -run '^TestLogQL$' -count=1 -args -records "$recording/records.jsonl" -answers "$recording/loki.json")
fi
recording=$(cd "$recording" && pwd)
mkdir -p docs/pictures
copy=$(internal/tools/npm.sh dashboards/render)
cd "$copy"
node render.mjs "$root/dashboards" "$recording" "$root/docs/pictures"
