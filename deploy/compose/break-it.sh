#!/usr/bin/env bash
# Breaks the ensemble of the quick start, and says what to look at.
#
#   break-it.sh leader    kill the leader: another is elected
#   break-it.sh quorum    kill two of three: nothing can be written
#   break-it.sh change    change a znode
#   break-it.sh tamper    flip a bit in the audit journal
#   break-it.sh repair    start what was killed, and flip the bit back
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

compose() { docker compose "$@"; }
say() { printf '\n%s\n' "$*"; }

# What a member answers to srvr, or nothing.
srvr() {
	compose exec -T "zk-$1" bash -c 'exec 3<>/dev/tcp/127.0.0.1/2181 && echo srvr >&3 && cat <&3' 2>/dev/null || true
}

# The first member whose answer has a text in it, as the number of its service.
member() {
	local n
	for n in 1 2 3; do
		if [[ $(srvr "$n") == *"$1"* ]]; then
			echo "$n"
			return
		fi
	done
	echo "break-it.sh: no member says \"$1\"; try: break-it.sh repair" >&2
	exit 1
}

# Runs a client in a server that lives.
zkcli() { compose exec -T "zk-$alive" zkCli.sh -server zk-1:2181,zk-2:2181,zk-3:2181 "$@"; }

# Flips a bit in the oldest file of the journal, at a byte that is given or in its
# middle, and prints the byte.
flip() {
	# shellcheck disable=SC2016 # The intruder's shell expands it.
	compose run --rm -T intruder 'bash /flip.sh "$(ls /journal/journal-*.jsonl | head -n1)" '"${1:-}"
}
verify() { compose exec -T auditor /zkwarden verify /var/lib/zkwarden; }

case ${1:-} in
leader)
	n=$(member "Mode: leader")
	compose kill "zk-$n"
	say "zk-$n led and is dead. Within seconds the other two elect one of them:"
	echo "  the dashboard Ensemble shows the new leader, and a margin of 0"
	echo "  ZooKeeperQuorumAtRisk is pending, and fires after five minutes"
	;;
quorum)
	n=$(member "Mode: leader")
	compose kill "zk-$n" "zk-$((n % 3 + 1))"
	say "Two of three are dead. The third lives and serves nobody:"
	echo "  ZooKeeperQuorumLost fires within 90 seconds, at http://127.0.0.1:9090/alerts"
	echo "  the dashboard Fleet says that there is no quorum"
	;;
change)
	alive=$(member "Mode: ")
	zkcli create /demo >/dev/null 2>&1 || true
	zkcli create /demo/limits 'requests=100' >/dev/null 2>&1 || true
	zkcli set /demo/limits "requests=$RANDOM" >/dev/null
	compose exec -T auditor /zkwarden log --audit.dir=/var/lib/zkwarden --path=/demo --diff --limit=3
	say "The same is in the dashboard Audit trail."
	;;
tamper)
	[[ ! -s .tampered ]] || {
		echo "break-it.sh: there is a flipped bit already; try: break-it.sh repair" >&2
		exit 1
	}
	flip >.tampered
	if verify; then
		echo "break-it.sh: verify took a flipped bit for whole" >&2
		exit 1
	fi
	say "zkwarden verify has found it, and named the place. The auditor goes on: a chain"
	echo "that is broken stays provable before the break and after it, until it starts again."
	;;
repair)
	if [[ -s .tampered ]]; then
		flip "$(cat .tampered)" >/dev/null
		rm .tampered
	fi
	compose up --detach --wait
	verify
	;;
*)
	sed -n 's/^#   //p' "$0"
	exit 2
	;;
esac
