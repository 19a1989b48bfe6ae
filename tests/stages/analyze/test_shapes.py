from pathlib import Path

import pytest
from tests.stages.analyze.shapes import Shape, differences, shapes

from container_kit.stages.analyze import analyze


@pytest.mark.parametrize("shape", shapes(), ids=lambda shape: shape.name)
def test_an_application_of_this_shape_is_understood(shape: Shape, tmp_path: Path):
    assert differences(analyze(shape.lay(tmp_path)), shape) == []
