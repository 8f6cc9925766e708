#!/usr/bin/env bash
# Runs a demo until Ctrl-C: run.sh chat|whiteboard|private-messaging typescript|python
# PYTHON is an interpreter with the packages of clients/python/requirements.txt.
set -eu
cd "$(dirname "$0")"
demo=${1:-chat} language=${2:-typescript} port=${PORT:-3000} data=${DATA_DIR:-.data}
[ -f "$demo/backend.py" ] || { sed -n 2p "$0" >&2; exit 2; }

[ -d node_modules ] || { echo "installing what the demos need, once" >&2 && npm ci --no-audit --no-fund --silent; }
case $language in
typescript)
	npm run --silent build
	backend=(node ".build/$demo/backend.js")
	;;
python)
	export PYTHONPATH=$PWD/../../clients/python/src
	backend=("${PYTHON:-python3}" "$demo/backend.py")
	"${backend[0]}" -c 'import sio_edge' || { echo "set PYTHON, see clients/python/README.md" >&2; exit 1; }
	;;
*)
	sed -n 2p "$0" >&2
	exit 2
	;;
esac
mkdir -p .build "$data"
edge=${SIO_EDGE_BIN:-.build/sio-edge}
[ -n "${SIO_EDGE_BIN:-}" ] || { echo "building the edge" >&2 && go build -C ../.. -o examples/demos/.build/ ./cmd/sio-edge; }
public=$(mktemp -d)
cp page.css "$demo"/index.html "$demo"/page.js node_modules/socket.io-client/dist/socket.io.min.js "$public"

trap 'kill $(jobs -p) ${server:-} 2>/dev/null || true; wait; rm -r "$public"' EXIT
trap exit INT TERM
"$edge" --listen ":$port" --ops-listen "" --static-dir "$public" --data-dir "$data/$demo-edge" --log-level warn &

# Pages may be opened once the backend is there: before, the edge lets them in, but nobody listens.
exec {said}< <(DATA=$data/$demo-$language.jsonl exec "${backend[@]}" 2>&1)
server=$!
until [[ ${line:=} == *attached* ]]; do
	IFS= read -r -u "$said" line || exit 1
	echo "$line"
done
echo "open http://127.0.0.1:$port/ in two tabs"
cat <&"$said" &
wait -n # an end of the edge, or of what the backend says
