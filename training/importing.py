"""Make a dataset of a clinic's own photos: checked, without metadata, split by patient.

    python -m training import --csv photos.csv --root DIR --out DATASET

Columns: file (below --root), patient, visit, diagnosis (AD, HI, IM, MF, OTHER, NORMAL), confirmed (how),
site, consent (`yes`, or `yes: what was signed`); optional fitzpatrick, distance_cm, crop (left, top,
width and height, as shares of the photo), use (train, calibrate or evaluate: the clinic's own splits, for all lines or none). DATASET.html says what was found. Something
fatal, e.g. one photo under two patients, ends with exit code 1 and no dataset.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
from pathlib import Path

from inference_worker.models import engine, weights
from inference_worker.models.segmentation import Segmenter
from training import checks, report
from training.dataset import read_csv, read_photos, write_manifest


def main(argv: list[str] | None = None) -> int:
    """Return 0 with a dataset written, 1 with something fatal found and none."""
    os.umask(0o077)  # patients' photos, and a report that shows them
    parser = _parser()
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if arguments.out.exists():
        parser.error(f"{arguments.out} exists; a dataset is never changed, name another")
    try:
        photos = read_csv(arguments.csv)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    partial = arguments.out.with_name(f"{arguments.out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a run that was stopped
    segmenter = Segmenter(weights.published("segmentation"), engine.select_engine(arguments.device))
    read_photos(photos, arguments.root, partial, segmenter)
    findings = checks.check(photos)
    page = arguments.out.with_name(f"{arguments.out.name}.html")
    page.write_text(report.page(photos, findings), encoding="utf-8")
    fatal = sum(finding.is_fatal for finding in findings)
    print(f"{len(photos)} photos, {fatal} errors, {len(findings) - fatal} warnings: {page}")
    if fatal:
        shutil.rmtree(partial)
        return 1
    copies = {finding.photos[1].line for finding in findings if finding.kind == "same_photo"}
    kept = [photo for photo in photos if photo.line not in copies]
    write_manifest(kept, arguments.root.resolve().name, partial / "manifest.csv")
    partial.rename(arguments.out)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training import",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True, help="folder that the files' paths start from")
    parser.add_argument("--out", type=Path, required=True, help="folder to make; its report lies beside it")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    return parser
