#!/usr/bin/env bash
# Prints a directory in the cache with a copy of an npm package of this
# repository and the modules that its package-lock.json pins.
#
#   npm.sh DIRECTORY
#
# They lie in $ZKWARDEN_CACHE/npm and not beside the package, where Go would look
# for packages in them. The cache defaults to .cache in the repository, and a
# relative one starts there too. No script of a module is run.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${ZKWARDEN_CACHE:-.cache}
[[ $cache == /* ]] || cache=$root/$cache
source=$(cd "$1" && pwd)
copy=$cache/npm/$(basename "$source")

mkdir -p "$copy"
exec 9>"$copy.lock"
flock 9
stamp=$(cat "$source/package.json" "$source/package-lock.json" | sha256sum | cut -d' ' -f1)
cp "$source"/* "$copy"
if [[ $(cat "$copy.stamp" 2>/dev/null) != "$stamp" ]]; then
	echo "npm.sh: bringing the modules of $1" >&2
	(cd "$copy" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error) >&2
	echo "$stamp" >"$copy.stamp"
fi
echo "$copy"
