"""What `editeval reproduce` knows: formats by name, and published tables whose results are not public."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from editeval.errors import ConfigError
from editeval.reproduce import (
    gedit_scores,
    gedit_v2_verdicts,
    imagenhub_ratings,
    imgedit_replies,
    kris_metrics,
    leaderboards,
    mmrb2_judgements,
    omnicontext_scores,
    rise_replies,
    viescore_answers,
)
from editeval.reproduce.published import ResultFormat

_PUBLIC = (viescore_answers, imagenhub_ratings, mmrb2_judgements)
_OF_USERS = (gedit_scores, imgedit_replies, kris_metrics, rise_replies, omnicontext_scores, gedit_v2_verdicts)
_ALL = (*(one.RESULTS for one in _PUBLIC), *leaderboards.RESULTS, *(one.RESULTS for one in _OF_USERS))
FORMATS: dict[str, ResultFormat] = {results.name: results for results in _ALL}


@dataclass(frozen=True, slots=True)
class NotPublic:
    """A published table that cannot be recomputed, and why not."""

    table: str
    where: str
    reason: str


_NO_SCORES = "only the table: neither replies nor scores of single samples are public"
NOT_PUBLIC = (
    NotPublic("GEdit-Bench, official table", "github.com/stepfun-ai/Step1X-Edit", _NO_SCORES),
    NotPublic("GEdit-Bench and ImgEdit", "github.com/ByteDance-Seed/Bagel, README", _NO_SCORES),
    NotPublic("KRIS and RISE of BAGEL", "github.com/ByteDance-Seed/Bagel, README", _NO_SCORES),
    NotPublic("GEdit-Bench, ImgEdit, Complex-Edit: groups", "github.com/wyhlovecpp/GPT-Image-Edit, README", _NO_SCORES),
    NotPublic("GEdit-Bench, ImgEdit: groups", "github.com/AIDC-AI/Ovis-U1, README", _NO_SCORES),
    NotPublic("GEdit-Bench, ImgEdit, REDEdit", "github.com/FireRedTeam/FireRed-Image-Edit, README", _NO_SCORES),
    NotPublic("ImgEdit leaderboard", "github.com/PKU-YuanGroup/ImgEdit, README", _NO_SCORES),
    NotPublic(
        "RISEBench leaderboard: categories",
        "github.com/PhoenixZ810/RISEBench, README",
        "edits are on the Hub (zpy777/RISEBench_Outputs), the judge's replies are not public",
    ),
    NotPublic("RE-Edit, main table", "github.com/Yixuan-Ding-ZJU/RE-Edit, page_image", _NO_SCORES),
    NotPublic("OmniContext", "github.com/VectorSpaceLab/OmniGen2, README", _NO_SCORES),
    NotPublic("EditReward-Bench", "github.com/VectorSpaceLab/EditScore, README", _NO_SCORES),
    NotPublic("UnicBench", "github.com/WeChatCV/UnicBench, README", _NO_SCORES),
    NotPublic("Complex-Edit", "github.com/UCSC-VLAA/Complex-Edit, README", _NO_SCORES),
    NotPublic(
        "GEditBench v2, Elo",
        "github.com/ZhangqiJiang07/GEditBench_v2, data/e_openedit_pair_res",
        "verdicts are public as two archives: unpack geditv2.zip and name its folder for `gedit_v2`",
    ),
    NotPublic(
        "MMRB2, table of judges",
        "github.com/facebookresearch/MMRB2, README",
        "verdicts are public for the sample evaluator alone",
    ),
)


def result_format(name: str) -> ResultFormat:
    """The format called `name`. Raises ConfigError for an unknown one."""
    if name in FORMATS:
        return FORMATS[name]
    close = difflib.get_close_matches(name, FORMATS, n=1)
    hint = f"did you mean {close[0]}?" if close else "see `editeval reproduce --list`"
    raise ConfigError(f"reproduce: must be one of {', '.join(FORMATS)}, got {name!r}; {hint}")
