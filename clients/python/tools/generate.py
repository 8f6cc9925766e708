"""Generates src/sio_edge/_gen from the contract in /proto of this repository.

Run it from anywhere with the packages of requirements-dev.txt installed. With --check it
writes nothing and fails if the committed files are not what the contract gives.
"""

from __future__ import annotations

import filecmp
import re
import sys
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
OUT = HERE / "src" / "sio_edge" / "_gen"

# protoc writes imports as if the output folder were on sys.path. Ours is inside a package.
ABSOLUTE = re.compile(r"^from sioedge\.v1 import ", re.MULTILINE)


def generate(out: Path) -> None:
    """Writes the modules for every file of the contract under `out`."""
    protos = sorted((ROOT / "proto" / "sioedge" / "v1").glob("*.proto"))
    well_known = resources.files("grpc_tools") / "_proto"
    code = protoc.main(
        [
            "protoc",
            f"-I{ROOT / 'proto'}",
            f"-I{ROOT / 'third_party'}",
            f"-I{well_known}",
            f"--python_out={out}",
            f"--pyi_out={out}",
            f"--grpc_python_out={out}",
            *[str(p.relative_to(ROOT / "proto")) for p in protos],
        ]
    )
    if code != 0:
        raise SystemExit(code)
    for path in [*out.rglob("*.py"), *out.rglob("*.pyi")]:
        path.write_text(ABSOLUTE.sub("from sio_edge._gen.sioedge.v1 import ", path.read_text()))
    (out / "sioedge" / "v1" / "__init__.py").write_text("")
    (out / "sioedge" / "__init__.py").write_text("")
    (out / "__init__.py").write_text('"""Generated from the contract by tools/generate.py."""\n')


def check() -> None:
    """Fails if a fresh generation differs from the committed files."""
    with tempfile.TemporaryDirectory() as fresh:
        generate(Path(fresh))
        want = {p.relative_to(fresh) for p in Path(fresh).rglob("*.py*")}
        have = {p.relative_to(OUT) for p in OUT.rglob("*.py*") if "__pycache__" not in p.parts}
        stale = sorted(want ^ have) + sorted(
            p for p in want & have if not filecmp.cmp(OUT / p, Path(fresh) / p, shallow=False)
        )
    if stale:
        raise SystemExit("generated code is stale: " + ", ".join(map(str, stale)))


if __name__ == "__main__":
    if "--check" in sys.argv:
        check()
    else:
        OUT.mkdir(parents=True, exist_ok=True)
        generate(OUT)
