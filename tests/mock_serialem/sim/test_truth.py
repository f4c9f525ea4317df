import json

from mock_serialem.sim.truth import TruthLog


def test_each_line_is_in_the_file_at_once(tmp_path):
    path = tmp_path / "truth.jsonl"
    log = TruthLog(path)
    log.write("exposure", t_s=1.5, lda="R")
    assert [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] == [
        {"event": "exposure", "t_s": 1.5, "lda": "R"}
    ]
    log.write("saved", section=0)
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2
    log.close()
    assert [event["event"] for event in log.events] == ["exposure", "saved"]


def test_an_existing_log_is_kept_under_a_numbered_name(tmp_path):
    path = tmp_path / "truth.jsonl"
    for number in range(3):
        with TruthLog(path) as log:
            log.write("exposure", number=number)
    assert '"number": 2' in path.read_text(encoding="utf-8")
    assert '"number": 0' in (tmp_path / "truth.jsonl~1").read_text(encoding="utf-8")
    assert '"number": 1' in (tmp_path / "truth.jsonl~2").read_text(encoding="utf-8")


def test_without_a_path_events_stay_in_memory():
    log = TruthLog(None)
    log.write("exposure", t_s=0.0)
    log.close()
    assert log.events == [{"event": "exposure", "t_s": 0.0}]
