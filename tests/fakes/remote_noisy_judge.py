"""One that degenerates behind a server: no process of ours is to blame."""

from __future__ import annotations

from fakes.noisy_judge import NoisyJudge


class RemoteNoisyJudge(NoisyJudge):
    is_remote = True
