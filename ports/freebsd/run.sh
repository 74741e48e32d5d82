#!/bin/sh
# Runs every test of this archive, or those whose names are given, and says what passed: unit tests,
# the port against the kernel, and the lab's scenarios with vrrpd on hosts that are jails. On
# FreeBSD, as root; nothing of the host's own network is touched, as each test has jails with network
# stacks of their own. Only the temporary folder is written to.
set -u
cd "$(dirname "$0")" || exit 1
if [ "$(id -u)" != 0 ]; then
	echo "run.sh needs root" >&2
	exit 1
fi
TMPDIR=${TMPDIR:-/tmp}
VRRPD=$(pwd)/bin/vrrpd
# Two scenarios at once would disturb each other's clocks.
RUST_TEST_THREADS=1
export TMPDIR VRRPD RUST_TEST_THREADS
for module in if_epair if_bridge ng_socket ng_ether ng_bridge ng_eiface; do
	kldstat -q -m "$module" || kldload -n "$module" 2>/dev/null
done
[ $# -gt 0 ] || set -- $(ls tests)
log=$(mktemp "$TMPDIR/vrrp-run.XXXXXX") || exit 1
trap 'rm -f "$log" "$log.status"' EXIT
failed=
for name; do
	echo "=== $name"
	{
		"tests/$name" 2>&1
		echo $? >"$log.status"
	} | tee -a "$log"
	[ "$(cat "$log.status")" = 0 ] || failed="$failed $name"
done
echo
echo "$(grep -c '^test .* \.\.\. ok$' "$log") passed," \
	"$(grep -c '^test .* \.\.\. FAILED$' "$log") failed;" \
	"programs that failed:${failed:- none}"
[ -z "$failed" ]
