#!/usr/bin/env bash
# Runs the edge and, as another process, the chat backend, until Ctrl-C. Either is started again
# when it is killed: that is what the example is there to show. The keys of the edge may be set in
# the environment, as ever.
set -umo pipefail # m: Ctrl-C comes to this process only, which then ends the others in order
cd "$(dirname "$0")/.."

page=${SIO_EDGE_LISTEN:-:3000}
control=${SIO_EDGE_CONTROL_LISTEN:-127.0.0.1:7070}
go build -o bin/ ./examples/chat || exit

# supervise COMMAND… runs it again whenever a signal or a fault of its own ended it. Wrong usage and an
# address in use (2, 3) would only come again.
supervise() {
	local pid status
	trap 'kill "$pid" 2>/dev/null; wait "$pid"; exit 0' TERM
	while true; do
		"$@" &
		pid=$!
		wait "$pid"
		status=$?
		case $status in 0 | 2 | 3) exit "$status" ;; esac
		echo "$(basename "$1") ended ($status), starting again"
		sleep 0.5 &
		pid=$!
		wait "$pid"
	done
}

edge= chat=
trap 'kill $edge $chat 2>/dev/null; wait $edge $chat 2>/dev/null' EXIT
trap exit INT TERM

# The backend is started once our own edge has said where it is. That the port answers would prove
# nothing: it may be an edge of somebody else, whose clients the chat would then get.
exec {said}< <(supervise bin/sio-edge --static-dir examples/chat/public --log-level warn)
edge=$!
for _ in 1 2; do
	IFS= read -r -u "$said" line || { wait "$edge"; exit; }
	echo "$line"
done
cat <&"$said" &
supervise bin/chat --edge "$control" &
chat=$!
echo "open http://127.0.0.1:${page##*:}/ in two tabs, then try: pkill -9 sio-edge, pkill -9 chat, reload a tab"
wait -n # the copying of its words ends with the edge
