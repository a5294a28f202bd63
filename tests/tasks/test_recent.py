"""A grader is asked once for what two parts of a round want to know, and later again."""

from jaxgap.tasks import recent
from jaxgap.tasks.programs import ProgramJudge, ProgramTests, judge
from jaxgap.tasks.recent import RecentReplies


def test_what_was_asked_lately_is_not_asked_again():
    asked = []

    def ask(requests):
        asked.extend(requests)
        return [request.upper() for request in requests]

    replies = RecentReplies()
    assert replies.ask_all("aba", ask) == ["A", "B", "A"]
    assert replies.ask_all("bc", ask) == ["B", "C"]
    assert asked == ["a", "b", "c"]
    for number in range(recent._NUM_CALLS):
        replies.ask_all([str(number)], ask)
    replies.ask_all("a", ask)
    assert asked.count("a") == 2


def test_a_program_is_judged_once_for_verifier_and_measurement(monkeypatch):
    judged = []

    def judge_one(pair, job):
        judged.append(job)
        return judge.Verdict(len(judged) == 1, "otherwise each time")

    monkeypatch.setattr(judge, "_judge", judge_one)
    tests = ProgramTests.parse(["assert f(1) == 2"], setup="", reference="def f(x): return x + 1")
    ours = ProgramJudge(size=1)
    first = ours.judge_all([("def f(x): return 2", tests)])
    assert ours.judge_all([("def f(x): return 2", tests)]) == first
    assert len(judged) == 1
