"""Echo with acknowledgement: this SDK behind the edge against python-socketio, in turn.

python compare.py [emit|ack] [rounds]. Each server has CPU 0 for itself, edge and clients CPU 1.
It prints messages a second and the CPU time of the server for each, and the ratios round by round.
"""

from __future__ import annotations

import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[4]
SERVER, OTHERS = ["taskset", "-c", "0"], ["taskset", "-c", "1"]


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listening(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


def load(url: str, mode: str, server: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Messages a second, and microseconds of the server's CPU for each."""
    out = subprocess.check_output(
        [*OTHERS, "node", HERE / "load.mjs", url, mode, str(server.pid)], text=True)
    rate, cpu = re.search(r"(\d+) messages/s, ([\d.]+)", out).groups()
    return float(rate), float(cpu)


def ours(edge: Path, mode: str, data: str) -> tuple[float, float]:
    clients, backends = free_port(), free_port()
    processes = [subprocess.Popen([
        *OTHERS, edge, "serve", f"--listen=127.0.0.1:{clients}", "--ops-listen=",
        f"--control-listen=127.0.0.1:{backends}", f"--data-dir={data}", "--log-level=error",
    ], stdout=subprocess.DEVNULL)]
    try:
        listening(backends)
        processes.append(subprocess.Popen(
            [*SERVER, sys.executable, HERE / "echo.py", f"127.0.0.1:{backends}"]))
        listening(clients)
        return load(f"http://127.0.0.1:{clients}", mode, processes[1])
    finally:
        stop(processes)


def theirs(mode: str) -> tuple[float, float]:
    port = free_port()
    server = subprocess.Popen(
        [*SERVER, sys.executable, HERE / "echo.py", f"127.0.0.1:{port}", "--reference"],
        stdout=subprocess.DEVNULL)
    try:
        listening(port)
        return load(f"http://127.0.0.1:{port}", mode, server)
    finally:
        stop([server])


def stop(processes: list[subprocess.Popen[bytes]]) -> None:
    for p in processes:
        p.kill()
        p.wait()


def main() -> None:
    mode = sys.argv[1] if len(sys.argv) > 1 else "ack"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    rates, costs = [], []
    with tempfile.TemporaryDirectory() as tmp:
        edge = Path(tmp) / "sio-edge"
        subprocess.run(["go", "build", "-o", edge, "./cmd/sio-edge"], cwd=ROOT, check=True)
        for n in range(rounds):
            (rate, cost), (rate2, cost2) = ours(edge, mode, f"{tmp}/data{n}"), theirs(mode)
            print(f"{mode}: sio-edge {rate:,.0f}/s {cost:.1f} µs, python-socketio {rate2:,.0f}/s "
                  f"{cost2:.1f} µs", flush=True)
            rates.append(rate / rate2)
            costs.append(cost2 / cost)
    print(f"messages a second: {statistics.median(rates):.2f} x python-socketio; "
          f"per CPU second of the server: {statistics.median(costs):.2f} x")


if __name__ == "__main__":
    main()
