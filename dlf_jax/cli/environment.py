"""Facts about the machine and the installation, for bug reports."""

import importlib.metadata
import os
import platform
import sys

import click

import dlf_jax


def versions() -> dict[str, str]:
    """Returns versions and names of this machine, without importing jax."""
    return {
        "dlf": dlf_jax.__version__,
        "python": platform.python_version(),
        "jax": _installed("jax"),
        "jaxlib": _installed("jaxlib"),
        "system": platform.platform(),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
    }


def device() -> str:
    """Returns kind and number of the devices that jax finds, or the reason for none."""
    try:
        import jax

        devices = jax.local_devices()
    except Exception as error:  # a bug report is most useful where jax does not start
        return f"none: {' '.join(str(error).split()) or type(error).__name__}"
    first = devices[0]
    kind = first.device_kind
    name = first.platform if kind == first.platform else f"{first.platform}, {kind}"
    return name if len(devices) == 1 else f"{len(devices)} x {name}"


def peak_memory() -> dict[str, int | None]:
    """Returns the most bytes that this process and its first device have used.

    None stands for an unknown number: CPUs count as part of the process, and Windows
    does not tell.
    """
    import jax

    statistics = jax.local_devices()[0].memory_stats() or {}
    return {
        "peak_bytes": _peak_of_process(),
        "device_peak_bytes": statistics.get("peak_bytes_in_use"),
    }


def describe() -> list[str]:
    """Returns versions and devices as lines."""
    facts = versions()
    return [
        f"python     {facts['python']}, {facts['system']}",
        f"jax        {facts['jax']}, jaxlib {facts['jaxlib']}",
        f"processor  {facts['processor']}",
        f"device     {device()}",
    ]


def print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Callback of --version: prints versions, devices and bundled models, and ends."""
    if not wanted or context.resilient_parsing:
        return
    # Memory of a GPU is left to the programs at work.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    click.echo(f"dlf, version {dlf_jax.__version__}")
    for line in describe():
        click.echo(line)
    from dlf_jax.checkpoints.directory import BUNDLED, bundled_models, read_description

    for name in bundled_models():
        fingerprint = read_description(BUNDLED / name)["fingerprint"]
        click.echo(f"model      {name} {fingerprint}")
    context.exit()


def _installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:  # not Linux
        pass
    return platform.processor() or platform.machine()


def _peak_of_process() -> int | None:
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
