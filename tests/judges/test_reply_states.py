"""A reply is dressed up as judges do, again and again: what is read stays what was meant, or nothing is read."""

from __future__ import annotations

import json

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from editeval.judges.parsing import answers
from editeval.judges.parsing.reply import Reply

WORDS = st.text("abcdefg héß。，好图像 \n", max_size=40)
TENTHS = st.integers(0, 100).map(lambda number: number / 10)


class ReplyMachine(RuleBasedStateMachine):
    """One judge's reply to one question, on its way to the grammar."""

    @initialize(values=st.tuples(TENTHS, TENTHS), is_pair=st.booleans(), words=WORDS)
    def answer(self, values: tuple[float, float], is_pair: bool, words: str) -> None:
        self.is_pair = is_pair
        self.meant = values if is_pair else values[:1]
        self.text = (
            json.dumps({"reasoning": words, "score": list(values)}, ensure_ascii=False)
            if is_pair
            else f"Score: {values[0]}"
        )
        self.is_finished = self.is_whole = True
        self.is_clean = True  # nothing has been done to it that might excuse a grammar

    @rule(words=WORDS)
    def think_first(self, words: str) -> None:
        self.text = f"<think>{words} Score: 1</think>\n{self.text}"
        self.is_clean = self.is_clean and self.text.count("<think>") == 1

    @rule()
    def put_into_a_fence(self) -> None:
        self.is_clean = self.is_clean and "```" not in self.text and "<think>" not in self.text
        self.text = f"```json\n{self.text}\n```"

    @rule(words=WORDS)
    def talk_before(self, words: str) -> None:
        self.text = f"{words}\n{self.text}"
        self.is_clean = False

    @rule(words=WORDS)
    def talk_after(self, words: str) -> None:
        self.text = f"{self.text}\n{words}"
        self.is_clean = False

    @rule(space=st.text(" \t\n\u200b", max_size=4))
    def put_space_around(self, space: str) -> None:
        self.text = f"{space}{self.text}{space}"

    @rule()
    def write_full_width_digits(self) -> None:
        self.text = "".join(chr(ord(c) + 0xFEE0) if c in "0123456789" else c for c in self.text)

    @precondition(lambda self: not self.is_pair)
    @rule()
    def say_out_of_ten(self) -> None:
        self.text += "/10"
        self.is_clean = False

    @precondition(lambda self: self.text)
    @rule(data=st.data())
    def be_cut_off(self, data: st.DataObject) -> None:
        """The server says so: whatever is left is no answer."""
        self.text = self.text[: data.draw(st.integers(0, len(self.text) - 1))]
        self.is_finished = False

    @rule(other=TENTHS)
    def change_its_mind(self, other: float) -> None:
        """Two answers are none, unless they agree."""
        if (other,) != self.meant:
            self.text += f"\nScore: {other}"
            self.is_clean = False
            self.is_whole = self.is_whole and self.is_pair  # a pair is no score line: it may still be read

    @rule()
    def be_written_down(self) -> None:
        reply = Reply(self.text, self.is_finished)
        assert Reply.from_json(reply.to_json()) == reply

    @invariant()
    def what_is_read_is_what_was_meant(self) -> None:
        if not hasattr(self, "text"):
            return
        reading = answers.read("pair" if self.is_pair else "number", Reply(self.text, self.is_finished), 0.9)
        assert bool(reading.values) != bool(reading.reason)
        if reading.values:
            assert reading.values == self.meant and self.is_finished and self.is_whole, (reading, self.text)
        if self.is_clean and self.is_finished and self.is_whole:
            assert reading.values == self.meant, (reading, self.text)


ReplyMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=8, deadline=None)
TestReplies = ReplyMachine.TestCase
