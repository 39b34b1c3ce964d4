"""Speed of dclib beside its peers, in one run, on the same data, with the same threads; results in results.json.

python -m benchmarks [WORK …]: without a name, all of them, about 20 minutes on two cores. Nothing else should run.
The peers: pip install -e ".[bench]". The data: MNIST, see python -m dclib.data list.

python -m benchmarks gpu: what only a GPU can show, see benchmarks/gpu.py.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import sys
import time

os.environ.setdefault("TQDM_DISABLE", "1")  # ClustPy's bars; tqdm reads it when it is imported

from threadpoolctl import threadpool_limits

from benchmarks import gpu, harness
from benchmarks.works import ROOT, WORKS
from dclib.data import DatasetUnavailable

MARKED = re.compile(r"(<!-- benchmarks -->\n).*?(<!-- end -->)", re.S)
PAGES = {"README.md": harness.short_table, "benchmarks/README.md": harness.table}


def on_page(text: str, table: str) -> str:
    """A page with this table between its markers."""
    if not MARKED.search(text):
        raise ValueError("The page has no lines <!-- benchmarks --> and <!-- end --> to put the table between.")
    return MARKED.sub(lambda found: found[1] + table + found[2], text)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("works", nargs="*", metavar="WORK", help=f"which works: {', '.join(WORKS)}; or gpu")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that all runs; writes nothing")
    parser.add_argument("--table", action="store_true", help="run nothing, print the table of what is on file")
    parser.add_argument("--pages", action="store_true", help="run nothing, put what is on file on the pages")
    options = parser.parse_args()
    if "gpu" in options.works:
        if len(options.works) > 1:
            parser.error("gpu comes alone")
        try:
            sys.exit(gpu.main(options.quick))
        except DatasetUnavailable as error:
            sys.exit(f"{error}\nThe trials on a GPU need it; --quick takes small data.")
    if unknown := set(options.works) - set(WORKS):
        parser.error(f"{', '.join(sorted(unknown))} is not known: choose from {', '.join(WORKS)}")
    if options.pages:
        for name, make_table in PAGES.items():
            page = ROOT / name
            text = on_page(page.read_text(encoding="utf-8"), make_table(harness.read_results()))
            page.write_text(text, encoding="utf-8")
    if options.table or options.pages:
        print(harness.table(harness.read_results()))
        return
    import torch

    if importlib.util.find_spec("faiss"):
        importlib.import_module("faiss")  # so that all rows name the same libraries
    if len(kernels := harness.openblas_kernels()) > 1:
        print(
            f"The peers' copies of OpenBLAS take different kernels, {' and '.join(kernels)}: an old copy may not know "
            "this processor. For a fair comparison set OPENBLAS_CORETYPE to the newest of them."
        )

    measured = []
    with threadpool_limits(torch.get_num_threads()):  # torch counts cores, others count hyperthreads
        for name in options.works or WORKS:
            started = time.perf_counter()
            try:
                rows = WORKS[name](options.quick)
            except DatasetUnavailable as error:
                sys.exit(f"{error}\nThe benchmarks need it; --quick runs them on small data.")
            print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
            measured += rows
            if not options.quick:
                harness.write_results(rows, WORKS)
    print(harness.table(measured))


if __name__ == "__main__":
    main()
