import sys
from collections import defaultdict
from dataclasses import dataclass, field

import pytest
from tests.stages.analyze.inputs import FIELDS, Input, fetched_inputs

from container_kit.stages.analyze import analyze
from container_kit.stages.artifacts.analysis import Module

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

BARS = {"language": 0.97, "package_manager": 0.95, "framework": 0.90, "port": 0.85, "start": 0.80}


@dataclass
class Score:
    """What was right, wrong, and how sure the analysis was of it."""

    right: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    judged: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    wrong: list[str] = field(default_factory=list)
    sure: list[tuple[float, bool]] = field(default_factory=list)
    modules: list[int] = field(default_factory=lambda: [0, 0, 0])  # found and right, found, labelled

    def share(self, name: str) -> float:
        return self.right[name] / self.judged[name]

    def f1(self) -> float:
        hits, found, labelled = self.modules
        return 2 * hits / (found + labelled)

    def calibration_error(self) -> float:
        """The expected calibration error over ten bins."""
        bins: dict[int, list[tuple[float, bool]]] = defaultdict(list)
        for confidence, was_right in self.sure:
            bins[min(int(confidence * 10), 9)].append((confidence, was_right))
        gaps = [abs(sum(c for c, _ in b) - sum(r for _, r in b)) for b in bins.values()]
        return sum(gaps) / len(self.sure)

    def report(self) -> str:
        """The figures and all that was wrong, for whoever reads the log."""
        shares = [f"{name:16} {self.share(name):6.1%} of {self.judged[name]}" for name in FIELDS]
        whole = f"modules F1 {self.f1():.3f}, calibration error {self.calibration_error():.3f}"
        return "\n".join(["", *shares, whole, *self.wrong, ""])

    def count(self, one: Input) -> None:
        analysis = analyze(one.folder)
        found = {module.path: module for module in analysis.modules}
        self.modules = [
            n + m
            for n, m in zip(self.modules, (len(found.keys() & one.modules), len(found), len(one.modules)), strict=True)
        ]
        for path, labels in one.modules.items():
            self._judge(f"{one.source} {path}", found.get(path), labels)

    def _judge(self, name: str, module: Module | None, labels: dict[str, tuple[str, ...]]) -> None:
        for field_name, answers in labels.items():
            finding = getattr(module, "start_command" if field_name == "start" else field_name) if module else None
            said = "" if finding is None or finding.value is None else str(finding.value)
            right = said in answers
            self.judged[field_name] += 1
            self.right[field_name] += right
            if said and finding is not None:
                self.sure.append((finding.confidence, right))
            if not right:
                self.wrong.append(f"{name}: {field_name} {said or 'unknown'}, not {' or '.join(answers)}")


@pytest.fixture(scope="module")
def score() -> Score:
    counted = Score()
    inputs = fetched_inputs()
    assert len(inputs) >= 120
    for one in inputs:
        counted.count(one)
    sys.stdout.write(counted.report())
    return counted


@pytest.mark.parametrize("name", FIELDS)
def test_what_is_said_of_real_applications_is_right_often_enough(score: Score, name: str):
    assert score.share(name) >= BARS[name], score.wrong


def test_the_modules_of_real_applications_are_found(score: Score):
    assert score.f1() >= 0.90


def test_confidence_says_how_often_an_answer_is_right(score: Score):
    assert score.calibration_error() <= 0.05
