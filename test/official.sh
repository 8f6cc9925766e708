#!/usr/bin/env bash
# Runs the official protocol suites, unchanged, against the edge on port 3000:
#
#   test/official.sh DIR
#
# DIR is the docs folder of a checkout of socketio/socket.io; npm install must have been done in
# both of its suites. Retries, because two of their tests race a request against another one.
set -euo pipefail

if [ $# -ne 1 ]; then
	echo "usage: $0 DIR, DIR having engine.io-protocol/v4-test-suite and socket.io-protocol/v5-test-suite" >&2
	exit 2
fi
suites=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."

work=$(mktemp -d)
pids=()
stop() {
	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	pids=()
}
trap 'stop; rm -rf "$work"' EXIT

# answers URL waits until it does.
answers() {
	for _ in $(seq 200); do
		curl --silent --fail --output "$work/answer" "$1" && return
		sleep 0.1
	done
	echo "no answer from $1" >&2
	cat "$work"/*.log >&2
	return 1
}

run() {
	(cd "$suites/$1" && npx --no-install mocha --retries 3 test-suite.js)
}

go build -o "$work/" ./cmd/sio-edge ./examples/conformance ./test/engineecho
heartbeat=(--ping-interval 300ms --ping-timeout 200ms)

"$work/engineecho" --listen 127.0.0.1:3000 "${heartbeat[@]}" >"$work/engineecho.log" 2>&1 &
pids+=($!)
answers 'http://127.0.0.1:3000/engine.io/?EIO=4&transport=polling'
run engine.io-protocol/v4-test-suite
stop

"$work/sio-edge" --listen 127.0.0.1:3000 --control-listen 127.0.0.1:17070 --ops-listen 127.0.0.1:19090 --data-dir "$work/data" \
	--recovery-window 0 --connect-timeout 1s --cors-origin '*' "${heartbeat[@]}" >"$work/sio-edge.log" 2>&1 &
pids+=($!)
"$work/conformance" --edge 127.0.0.1:17070 >"$work/conformance.log" 2>&1 &
pids+=($!)
answers 'http://127.0.0.1:3000/socket.io/?EIO=4&transport=polling'
until grep -q attached "$work/conformance.log"; do
	kill -0 "${pids[@]}" || { cat "$work"/*.log >&2; exit 1; }
	sleep 0.1
done
run socket.io-protocol/v5-test-suite
