"""Which tries are held against a request when workers die."""

from __future__ import annotations

from editeval.execution.policy import AttemptTracker


def tried(*requests: int) -> AttemptTracker:
    charges = AttemptTracker()
    for request in requests:
        charges.begin(request)
    return charges


def test_every_try_counts_unless_its_worker_died_of_something_else() -> None:
    charges = tried(1, 2, 2)
    charges.died(running=2, finished=[1])
    assert (charges.num_tries(1), charges.num_charged(1)) == (1, 0), "it was finished: what ran is to blame"
    assert (charges.num_tries(2), charges.num_charged(2)) == (2, 2)
    assert charges.num_charged(9) == 0


def test_what_was_alone_in_a_worker_that_died_is_charged() -> None:
    charges = tried(1)
    charges.died(running=None, finished=[1])
    assert charges.num_charged(1) == 1


def test_of_two_that_were_finished_neither_is_charged_the_first_time_only() -> None:
    charges = tried(1, 2)
    charges.died(running=None, finished=[1, 2])
    assert (charges.num_charged(1), charges.num_charged(2)) == (0, 0)
    charges.begin(1)
    charges.begin(2)
    charges.died(running=None, finished=[1, 2])
    assert (charges.num_charged(1), charges.num_charged(2)) == (1, 1), "excused once, or it would go on for ever"


def test_suspects_stay_suspect_until_they_have_an_outcome() -> None:
    charges = tried(1, 2)
    assert not charges.has_suspects
    charges.died(running=2, finished=[1])
    charges.settled(1)
    assert charges.has_suspects
    charges.settled(2)
    assert not charges.has_suspects


def test_a_worker_is_not_blamed_for_what_has_ended_another_before() -> None:
    charges = tried(1, 2, 3)
    assert not charges.died(running=1, finished=[2]), "the first one: it may be the machine"
    assert charges.died(running=1, finished=[]), "wherever it runs, a worker dies"
    assert not charges.died(running=2, finished=[1]), "2 was finished then, and excused"
    assert not charges.died(running=None, finished=[]), "it died of nothing that we know"
    assert charges.died(running=None, finished=[2]) and not charges.ends_another(3) and charges.ends_another(3)
