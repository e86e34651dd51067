#!/usr/bin/env bash
# Verifies the systemd unit and measures how open it is.
set -euo pipefail

unit=$(cd "$(dirname "${BASH_SOURCE[0]}")/../systemd" && pwd)/zkwarden.service
limit=20 # Tenths of systemd's scale of exposure, which goes from 0 to 10.

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed 's|^ExecStart=[^ ]*|ExecStart=/bin/true|' "$unit" >"$work/zkwarden.service"
complaints=$(systemd-analyze verify --man=no "$work/zkwarden.service" 2>&1 | grep zkwarden || true)
if [[ -n $complaints ]]; then
	echo "$complaints" >&2
	exit 1
fi
systemd-analyze security --offline=true --threshold="$limit" --no-pager "$work/zkwarden.service" | tail -n1
