"""A mad judge behind a server: no process of ours is to blame."""

from __future__ import annotations

from fakes.mad_judge import MadJudge


class RemoteMadJudge(MadJudge):
    is_remote = True
