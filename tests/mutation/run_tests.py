"""Run the tests of the module that a mutation tester has just changed; exit as pytest does.

The module is the one that differs from the commit. Its own test file comes first, then the files
that test it through others: most mutants die at once, and what is left sees all of them.
"""

import subprocess
import sys
from pathlib import Path

# module → further files that test it
THROUGH_OTHERS = {
    "metrics/aggregate": ["metrics/test_unanswered.py", "scoring/test_score.py"],
    "metrics/bootstrap": ["metrics/test_paired_tests.py", "scoring/test_score.py"],
    "metrics/landmarks": ["scoring/test_absent_points.py", "scoring/test_score.py"],
    "metrics/metric_names": ["scoring/test_score.py"],
    "metrics/number_format": ["report/tables"],
    "metrics/per_point": ["scoring/test_score.py"],
    "metrics/ranks": ["metrics/test_unanswered.py"],
    "metrics/seed_variance": ["analysis/test_false_positives.py"],
    "metrics/unanswered": ["analysis/test_compare.py"],
    "scoring/error_table": ["scoring/test_score.py", "scoring/test_absent_points.py"],
    "scoring/score": ["scoring/test_score.py"],
    "scoring/prediction_checks": ["runs/test_score_file.py", "runs/test_prediction_files.py"],
    "scoring/wrong_frame": ["runs/test_score_file.py", "analysis/explain"],
    "scoring/wrong_gaze": ["runs/test_score_file.py", "analysis/explain"],
    "analysis/check_papers": ["analysis/test_compare.py"],
    "analysis/compare": ["analysis/test_check_papers.py"],
    "analysis/tolerances": ["analysis/test_regression_gate.py"],
    "analysis/verdicts": ["analysis/test_regression_gate.py", "analysis/test_check_papers.py"],
    "methods/glsr/frames": ["methods/test_glsr.py", "methods/test_glsr_variants.py"],
    "methods/glsr/losses": ["methods/test_glsr.py", "methods/test_glsr_variants.py"],
    "methods/glsr/training_samples": ["methods/test_glsr.py", "methods/test_glsr_variants.py"],
}


def changed_modules() -> list[Path]:
    """Return the modules that differ from the commit: `benchbox/metrics/ranks.py`."""
    command = ["git", "diff", "--name-only", "--", "benchbox", "methods"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [Path(name) for name in names]


def files_that_test(module: Path) -> list[str]:
    """Return the test files of a module, its own first; those of its folder where it has none."""
    inner = module.with_suffix("")
    if inner.parts[0] == "benchbox":
        inner = inner.relative_to("benchbox")
    folder, own = inner.parent, f"{inner.parent}/test_{inner.name}.py"
    if inner.parts[0] == "methods":
        folder, own = inner.parent.parent, f"methods/test_{inner.parts[1]}.py"
    files = []
    for file in dict.fromkeys((own, *THROUGH_OTHERS.get(inner.as_posix(), []))):
        if (Path("tests") / file).exists():
            files.append(f"tests/{file}")
    return files or [f"tests/{folder}"]


def main() -> int:
    """Run pytest on what tests the changed modules, on all of metrics and scoring for none."""
    files: list[str] = []
    for module in changed_modules():
        files += [file for file in files_that_test(module) if file not in files]
    if not files:
        files = ["tests/metrics", "tests/scoring"]
    modules = [str(module) for module in changed_modules() if module.parts[0] == "benchbox"]
    options = ["-x", "-q", "-p", "no:cacheprovider", "--doctest-modules"]
    command = [sys.executable, "-m", "pytest", *options, *modules, *files]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
