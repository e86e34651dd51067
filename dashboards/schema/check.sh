#!/usr/bin/env bash
# Checks the dashboards against the types of npm's @grafana/schema.
#
#   check.sh
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
copy=$("$here/../../internal/tools/npm.sh" "$here")
cd "$copy"
node generate.mjs "$here/.."
node_modules/.bin/tsc --noEmit
