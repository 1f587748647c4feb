"""What the benchmark needs of the machine: the peers' packages, the programs, and what it runs on."""

import importlib.util
import os
import platform
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def ensure_packages(peers: list[str]) -> None:
    """Goes on in an environment of its own unless this one has the packages. DuckDB makes the tables of all peers."""
    names = [*peers, "duckdb"] if peers else []
    if all(importlib.util.find_spec(name) for name in names):
        return
    folder = os.path.join(HERE, ".venv")
    python = os.path.join(folder, "bin", "python")
    if os.path.abspath(sys.executable) == python:
        sys.exit(f"{folder} lacks {names}: delete it")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    subprocess.run([*pip, "--requirement", os.path.join(HERE, "requirements.txt")], check=True)
    os.execv(python, [python, *sys.argv])


def build_hitstone() -> str:
    """Builds the program as it is released. Returns where it is."""
    subprocess.run(["cargo", "build", "--release", "--locked", "--bin", "hitstone"], cwd=ROOT, check=True)
    return os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "release", "hitstone")


def generate(out: str, events: int, days: int, sites: int, seed: int, visitor_id: str) -> None:
    """Writes made-up events as Parquet files."""
    options = {"out": os.path.abspath(out), "events": events, "days": days, "sites": sites, "seed": seed, "visitor-id": visitor_id}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    subprocess.run(["cargo", "bench", "--locked", "--bench", "generate", "--", *words], cwd=ROOT, check=True)


def describe(hitstone: str) -> dict[str, str]:
    """What the figures were measured with."""
    described = {
        "hitstone": subprocess.run([hitstone, "--version"], capture_output=True, text=True, check=True).stdout.strip(),
        "system": platform.platform(),
        "processors": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') >> 20} MiB",
    }
    with open("/proc/cpuinfo") as lines:
        models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    if models:
        described["processor"] = models[0]
    for name in ("duckdb", "chdb"):
        if name in sys.modules:
            described[name] = str(sys.modules[name].__version__)
    return described
