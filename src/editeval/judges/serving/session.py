"""One chat server as one worker uses it: what it can do, what it was asked, and when to stop asking."""

from __future__ import annotations

import json
import logging
import random
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from editeval.errors import BudgetError, MachineError
from editeval.http import exchange
from editeval.http.answers import check, complaint
from editeval.http.exchange import DeclinedError, HttpRequest, Server, TransportError, idempotency
from editeval.http.retries import Bounds, ask
from editeval.http.spending import Spending
from editeval.judges.asking import messages as chat
from editeval.judges.asking.interview import Call
from editeval.judges.asking.wish import Wish
from editeval.judges.parsing.reply import Reply
from editeval.judges.serving import choices
from editeval.judges.serving.abilities import Abilities, body, named

log = logging.getLogger("editeval")
MAX_REFUSED_FIELDS = 12


@dataclass(frozen=True, slots=True)
class Target:
    """Who is asked: a server, and a model as the server names it."""

    server: Server
    model: str


class Session:
    """Calls from several threads. After a MachineError no further call is made."""

    def __init__(
        self, target: Target, bounds: Bounds, spending: Spending, extra: Mapping[str, Any], judging: str = ""
    ) -> None:
        """`judging` tells the calls of one way of judging from those of another."""
        self.server = target.server
        self._judging = judging
        self._spending = spending
        self.abilities = Abilities()
        self._model = target.model
        self._bounds = bounds
        self._extra = dict(extra)
        self._is_over = ""  # why no further call is made
        self._counting = threading.Lock()
        self._num_calls = 0
        self._num_tokens = [0, 0]  # of prompts, of replies

    def find_out(self, asked: list[chat.Message], wish: Wish) -> None:
        """Ask once, as all of the run will be asked, and settle what the server can do.

        Raises MachineError if it cannot be used, or lacks a field that is needed.
        """
        if "temperature" in wish.needed:
            self.abilities = replace(self.abilities, has_temperature=True)
        for _ in range(MAX_REFUSED_FIELDS):
            try:
                found = self._call(asked, wish, ("probe", uuid.uuid4().hex), is_probe=True)
            except _FieldRefusedError as refused:
                self._drop(refused.names, wish, refused.said)
                continue
            except DeclinedError as error:
                raise MachineError(f"openai_chat: {self.server.url}: the first question was {error}") from None
            except TransportError as error:
                raise MachineError(f"openai_chat: {error}; start the server, or mend base_url") from None
            if wish.is_expected and found.problem == "no_probabilities":
                self.abilities = self.abilities.without("logprobs")
            return
        raise MachineError(f"openai_chat: {self.server.url} refuses one field after the other")

    def reply(self, call: Call) -> Reply:
        """What the server says; a call that fails by itself is a reply with a problem. Raises MachineError."""
        if self._is_over:
            raise MachineError(self._is_over)
        try:
            _, question, number = call.place
            found = self._call(call.messages, call.wish, (call.key, question, str(number)), is_probe=False)
        except DeclinedError as error:
            return Reply("", problem="refused" if error.is_refusal else "declined", message=str(error))
        except (TransportError, BudgetError) as error:
            return Reply("", problem=error.reason, message=str(error))
        except MachineError as error:
            self._is_over = str(error)
            raise
        return found

    def spent(self) -> str:
        """One line about the calls that were answered, and their tokens."""
        prompts, replies = self._num_tokens
        return f"{self.server.url}: {self._num_calls} calls answered, {prompts} prompt and {replies} reply tokens"

    def _call(self, asked: list[chat.Message], wish: Wish, name: tuple[str, ...], is_probe: bool) -> Reply:
        """`name` is the call's own: the sample, the question and the number of the reply."""
        fields = body(self._model, asked, wish, self.abilities) | self._extra
        content = json.dumps(fields)
        once = idempotency(self._judging, *name, wish.answer, content)
        message = HttpRequest("POST", "/chat/completions", content.encode(), "application/json", once)

        def read(answer: exchange.Reply) -> Reply:
            if is_probe and answer.status in (400, 403, 422):
                said = complaint(answer.body)[1]
                sent = fields.keys() - self._extra.keys()
                names = named([name for name in self.abilities.refusable if name in sent], said)
                if names:
                    raise _FieldRefusedError(names, self.server.quote(said))
            check(self.server, answer)
            return choices.read(self.server, answer, wish.is_expected)

        jitter = random.Random(f"{wish.seed}:{name[0]}")
        found = ask(self.server, message, self._bounds, read, jitter, self._spending.begin)
        self._spending.answered(found.usage, self.server.url)
        with self._counting:
            self._num_calls += 1
            for i, count in enumerate(found.usage or ()):
                self._num_tokens[i] += count
        return found

    def _drop(self, names: list[str], wish: Wish, said: str) -> None:
        """Go on without what the server refuses. Raises MachineError for what is needed, or cannot be left out."""
        before = self.abilities
        for name in names:
            if name not in wish.needed:
                self.abilities = self.abilities.without(name)
        if self.abilities == before:
            where = f"openai_chat: {self.server.url}: does not take {', '.join(names)} as it was asked"
            raise MachineError(f"{where}: {said}; change that parameter, or use another server")
        log.info("%s refuses %s; going on without: %s", self.server.url, ", ".join(names), said)


class _FieldRefusedError(Exception):
    """The server named fields of the call that it does not take."""

    def __init__(self, names: list[str], said: str) -> None:
        super().__init__(said)
        self.names = names
        self.said = said
