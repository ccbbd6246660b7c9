"""`editeval verify`: does a run still hold what it recorded, and do its reports say so?"""

from __future__ import annotations

import argparse
import sys

from editeval.cli.console import run_dirs
from editeval.errors import MachineError, UserError
from editeval.plugins import names_code
from editeval.run import results
from editeval.run.recorded import plan_of, settings_of
from editeval.run.same_inputs import InputsCheck, check_inputs
from editeval.run.worth import stale_figures
from editeval.store import verify as checks
from editeval.store.ledger_events import Repaired
from editeval.store.ledger_seal import ELSEWHERE, UNSEALED
from editeval.store.run_store import RunStore
from editeval.store.verify import Problem
from editeval.text import one_line, run_command


def verify(options: argparse.Namespace) -> int:
    """Every disagreement between ledger, files, reports and what the run was made of. 0 if there is none left, else 3.

    What cannot be compared (weights that are not on this machine) is said, and is no problem.
    """
    if options.accept_loss and not options.repair:
        raise UserError("--accept-loss: says how far a repair may go, and none was asked for; add --repair")
    directory, should_repair = run_dirs(options)[0], options.repair
    with RunStore.reopen(directory) if should_repair else RunStore.read(directory) as store:
        made_of = _inputs(store, options.allow_code)
        if store.is_own and store.ledger_state() in (ELSEWHERE, UNSEALED):
            made_of.unknown.append(_UNSEALED)
        prefixes = results.prefixes(results.shown(store))
        problems = [
            *checks.verify(store, prefixes),
            *stale_figures(store),
            *made_of.problems,
        ]
        repaired, advice = _repaired(store, problems, options) if should_repair else ([], "")
        num_pending = sum(_is_image(one) and store.edit_of(str(one.sample_id)) is None for one in repaired)
        num_images = sum(edit.path is not None for edit in store.edits(wanted_only=False))
        fixing = run_command("verify", directory, "--repair", names_code=names_code(settings_of(store)))
    for problem in problems:
        sys.stdout.write(f"{one_line(problem)}{' (repaired)' if problem in repaired else ''}\n")
    for line in made_of.unknown:
        sys.stdout.write(f"unknown: {one_line(line)}\n")
    sys.stdout.write(f"{directory}: {num_images} images, {len(problems)} problems, {len(repaired)} repaired\n")
    if advice:
        sys.stderr.write(f"{one_line(advice)}\n")
    elif num_pending:
        sys.stdout.write("The samples of lost images are pending again: the command of the run makes them again.\n")
    elif not should_repair and any(problem.is_repairable or problem.kind == "report" for problem in problems):
        sys.stdout.write(f"`{fixing}` fixes what can be fixed safely: lost images, reports, temporary files\n")
    return 0 if len(problems) == len(repaired) else 3


_UNSEALED = "edits and scores are not known to be as recorded: the run was made before ledgers had a seal, or "
_UNSEALED += "another user or another machine has written to it since"


def _inputs(store: RunStore, allow_code: bool) -> InputsCheck:
    """What the run was made of, compared with what is there now; unknown where that cannot be read."""
    try:
        return check_inputs(plan_of(store, allow_code, is_looking=True), store)
    except UserError as error:
        why = "; ".join(map(str, error.parts))
        return InputsCheck(unknown=[f"source images, weights and code are not compared: {why}"])


def _is_image(problem: Problem) -> bool:
    return problem.sample_id is not None


def _repaired(store: RunStore, problems: list[Problem], options: argparse.Namespace) -> tuple[list[Problem], str]:
    """(what was fixed, what to do about the rest). Reports follow from the ledger, so that writing them is safe."""
    try:
        fixed = checks.repair(store, problems, options.accept_loss)
    except MachineError as error:
        left = set(checks.verify(store))
        return [problem for problem in problems if problem.is_repairable and problem not in left], str(error)
    reports = [problem for problem in problems if problem.kind == "report"]
    are_stale = any(_is_image(problem) for problem in fixed) and (store.dir / "report.json").exists()
    is_sound = not any(problem.kind == "ledger" for problem in problems)
    if not is_sound or not (reports or are_stale):
        return fixed, ""
    try:
        _write_reports(store, options.allow_code)
    except UserError as error:
        return fixed, f"the reports cannot be written again: {error}"
    store.record_event(Repaired(tuple(map(str, reports)) or ("reports are out of date",)))
    return fixed + reports, ""


def _write_reports(store: RunStore, allow_code: bool) -> None:
    from editeval.run.report import build_report, republish

    plan = plan_of(store, allow_code, is_looking=True)
    republish(build_report(plan, store), plan, store)
