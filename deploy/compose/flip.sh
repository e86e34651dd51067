#!/usr/bin/env bash
# Flips one bit of a file, in its middle or at a byte that is given, and prints
# which byte it was.
#
#   flip.sh FILE [BYTE]
set -euo pipefail

at=${2:-$(($(stat -c %s "$1") / 2))}
byte=$(od -An -tu1 -j"$at" -N1 "$1")
printf '%b' "\\x$(printf %02x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$at" conv=notrunc status=none
echo "$at"
