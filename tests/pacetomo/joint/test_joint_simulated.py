import json
import math
import re
from statistics import median

import pytest

from pacetomo.rehearse import Rehearsal, rehearse


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["krios", "cryoarm"])
def test_the_joint_tracker_halves_residuals_and_focus_errors_of_a_session(stage, tmp_path):
    figures = {}
    for tracker in ("single", "joint"):
        settings = (f"tracker={tracker}", "minTilt=-30", "maxTilt=48", "sortByTilt=False")
        wanted = Rehearsal(
            tmp_path / tracker, stage=stage, fidelity="kinematic", seed=17, targets=6, overrides=settings
        )
        outcome = rehearse(wanted)
        assert outcome.error is None
        figures[tracker] = read_truth(outcome.truth)
    (single_nm, single_um), (joint_nm, joint_um) = figures["single"], figures["joint"]
    assert joint_nm < 0.6 * single_nm
    assert joint_um < 0.4 * single_um


def read_truth(path):
    """Median residual (nm) and rms defocus error (µm) of all but the tracking target, without first images."""
    residuals, errors = [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        series = re.search(r"_ts_(\d+)\.mrc$", str(event.get("file")))
        if event["event"] == "saved" and series and int(series[1]) > 1 and event["section"] > 0:
            residuals.append(1000 * math.hypot(event["residual_x_um"], event["residual_y_um"]))
            errors.append(event["defocus_um"] + 5.0)
    assert len(residuals) == 5 * 26
    return median(residuals), math.sqrt(sum(error**2 for error in errors) / len(errors))
