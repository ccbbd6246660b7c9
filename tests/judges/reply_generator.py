"""Replies of judges, good and malformed, made from grammars that know what each of them says.

Every production gives a reply and its truth: the values that it states, or none where it states nothing that may be
taken. A parser may leave anything unread; what it reads has to be the truth. `is_clean` replies it has to read.
Nothing here looks at the parser.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Values = tuple[float, ...]


@dataclass(frozen=True)
class Made:
    format: str
    text: str
    truth: Values | None
    kind: str
    is_finished: bool = True
    is_clean: bool = False


LABELS = (
    "Score",
    "score",
    "Rating",
    "Final score",
    "**Score**",
    "Overall rating",
    "Grade",
    "评分",
    "得分",
    "最终得分",
    "总分",
)
PROSE = (
    "The sky is now red.",
    "The hat was removed cleanly, but the shadow remains.",
    "Two of the 3 dogs are gone.",
    "The edit follows the instruction.",
    "画面自然，天空变红了。",
    "Le ciel est rouge.",
    "Der Himmel ist jetzt rot.",
    "1. The sky: fine. 2. The dog: gone.",
    "At 1024x768 it looks sharp.",
    "Nothing else has changed",
    "空が赤い。",
    "",
)
NUMBER_WORDS = {
    "zero": 0,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "sechs": 6,
    "sieben": 7,
    "cinq": 5,
    "huit": 8,
    "siete": 7,
    "cuatro": 4,
    "六分": 6,
    "三分": 3,
    "шесть": 6,
    "семь": 7,
    "seis": 6,
    "trois": 3,
    "drei": 3,
}
CORRECTIONS = (
    "Actually, {w}.",
    "Wait, {w}.",
    "On reflection, {w}/10.",
    "Correction: {w}",
    "更正：{w}",
    "应该是{w}分",
    "No: {w}",
    "I meant {w}.",
    "Scratch that, {w}.",
    "Sorry, {w} is fairer.",
    "Edit: {w}",
    "Make it {w}.",
    "(or rather {w})",
    "-> {w}",
    "Hmm, {w}.",
    "Let me revise it to {w}.",
    "Final answer: {w}",
    "改为{w}",
    "Eigentlich eher {w}.",
    "Non, plutôt {w}.",
    "Mejor {w}.",
    "Нет, {w}.",
    "やっぱり{w}。",
    "{w}",
)
REFUSALS = (
    "I'm sorry, but I can't rate this picture.",
    "I cannot judge people.",
    "As an AI, I have no eyes.",
    "很抱歉，我无法评分。",
    "I’m unable to help with that.",
    "Unfortunately, the picture did not load.",
    "I don't see any image.",
)
DIGITS = ("0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗")


class Generator:
    """An endless, seeded source of replies."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def __iter__(self) -> Iterator[Made]:
        makers = [*self.numbers(), *self.pairs(), *self.verdicts(), *self.labels()]
        while True:
            yield self.rng.choice(makers)()

    def any(self, *options: str) -> str:
        return self.rng.choice(options)

    def value(self) -> float:
        return self.rng.choice(
            (self.rng.randint(0, 10) * 1.0, self.rng.randint(0, 20) / 2, self.rng.randint(0, 100) / 10)
        )

    def written(self, value: float) -> str:
        """`value`, in one of the ways that leave no doubt."""
        text = f"{value:g}" if self.rng.random() < 0.8 else f"{value:.1f}"
        if self.rng.random() < 0.15:
            text = text.translate(str.maketrans(DIGITS[0], self.rng.choice(DIGITS)))
        return text

    def stated(self, value: float) -> str:
        """A reply that says `value` and nothing else, as the grammar `number` promises to read."""
        number = self.written(value)
        scaled = self.any(
            number, number, f"{number}/10", f"{number} / 10", f"{number} out of 10", f"{number}分", f"{number}."
        )
        if self.rng.random() < 0.3:
            return scaled
        mark = self.any("", "", "- ", "* ", "# ")
        return (
            mark
            + self.rng.choice(LABELS)
            + self.any(": ", "：", ":", " = ")
            + self.any(scaled, f"**{scaled}**", f"`{scaled}`")
        )

    # -- one number --------------------------------------------------------------------------------------------------

    def numbers(self) -> list[Callable[[], Made]]:
        return [
            self.clean,
            self.clean,
            self.with_prose,
            self.in_a_sentence,
            self.corrected,
            self.corrected_in_words,
            self.range_of_numbers,
            self.other_scale,
            self.outside,
            self.no_number,
            self.refusal,
            self.cut_off,
            self.thought,
            self.several,
            self.object,
            self.sloppy_object,
            self.quoted,
            self.example,
            self.negated,
            self.odd_spelling,
            self.noise,
        ]

    def number(self, kind: str, text: str, truth: float | None, **more: bool) -> Made:
        return Made("number", text, None if truth is None else (truth,), kind, **more)

    def clean(self) -> Made:
        value = self.value()
        edge = self.any("", "", " ", "\n", "\u200b")
        return self.number("clean", edge + self.stated(value) + edge, value, is_clean=True)

    def line(self, value: float) -> str:
        return f"{self.rng.choice(LABELS)}: {self.written(value)}{self.any('', '/10')}"

    def with_prose(self) -> Made:
        value = self.value()
        before, after = self.rng.choice(PROSE), self.rng.choice(PROSE)
        return self.number("prose", f"{before}\n{self.line(value)}\n{after}", value)

    def in_a_sentence(self) -> Made:
        value = self.value()
        form = self.any(
            "I'd give it {v}.",
            "It deserves {v}/10.",
            "My answer is {v}",
            "The score is {v} out of 10.",
            "I rate it {v}.",
            "我给{v}分。",
            "Je donne {v}/10.",
            "So: {v}",
            "{v} points",
            "{v} because the sky is red",
            "Answer: {v}",
            "{v}!",
            "about {v}",
            "**{v}** - well done",
            "score {v}",
            "Score：{v}，很好",
        )
        return self.number("sentence", form.format(v=self.written(value)), value)

    def corrected(self) -> Made:
        value, other = self.value(), self.value()
        said = self.rng.choice(CORRECTIONS).format(w=self.written(other))
        text = self.stated(value) + self.any("\n", "\n\n", " ", ". ", "\n" + self.rng.choice(PROSE) + "\n") + said
        return self.number("corrected", text, other if other == value else None)

    def corrected_in_words(self) -> Made:
        value = self.value()
        word = self.rng.choice(list(NUMBER_WORDS))
        said = self.rng.choice(CORRECTIONS).format(w=word)
        truth = value if NUMBER_WORDS[word] == value else None
        return self.number("corrected in words", f"{self.stated(value)}{self.any(chr(10), ' ')}{said}", truth)

    def range_of_numbers(self) -> Made:
        low, high = self.rng.sample(range(11), 2)
        span = self.any(
            f"{low}-{high}",
            f"{low} to {high}",
            f"{low}~{high}",
            f"{low}–{high}",
            f"{low} or {high}",
            f"{low}/{high}",
            f"between {low} and {high}",
            f"{low}到{high}",
            f"{low}, {high}",
            f"[{low}, {high}]",
            f"{low} {high}",
            f"{low}±1",
        )
        text = self.any("", "Score: ", "评分：") + span + self.any("", "/10", ".")
        is_fraction_of_ten = high == 10 and f"{low}/10" in text
        return self.number("range", text, float(low) if is_fraction_of_ten else None)

    def other_scale(self) -> Made:
        scale = self.rng.choice((2, 3, 4, 5, 6, 7, 9, 20, 50, 100, 1000))
        number = self.rng.randint(0, scale)
        form = self.any(
            "{n}/{s}",
            "{n} out of {s}",
            "{n} / {s}",
            "{n} of {s} stars",
            "{n}%",
            "{n} percent",
            "{n}/{s}/10",
            "{n}/10/{s}",
            "{n} out of 10 out of {s}",
            "{n}\n/{s}",
            "{n} （满分{s}）",
            "{n} on a scale of {s}",
            "{n}/10%",
        )
        return self.number("other scale", self.any("", "Score: ", "得分：") + form.format(n=number, s=scale), None)

    def outside(self) -> Made:
        number = self.any("11", "10.5", "100", "-1", "-0.5", "85", "10.01", "999999999999", "−3", "10.0001", "1" * 400)
        return self.number("outside", self.any("", "Score: ", "评分：") + number + self.any("", "/10", "."), None)

    def no_number(self) -> Made:
        word = self.any(
            "NaN", "N/A", "null", "none", "inf", "-inf", "undefined", "?", "-", "…", "十", "X", "IX", "½", "²", ""
        )
        return self.number("no number", self.any("", "Score: ", "Score:\n") + word, None)

    def refusal(self) -> Made:
        tail = self.any("", f"\n{self.line(self.value())}", f" {self.value():g}/10")
        return self.number("refusal", self.rng.choice(REFUSALS) + tail, None)

    def cut_off(self) -> Made:
        whole = self.any(self.stated(self.value()), f"{self.rng.choice(PROSE)}\n{self.line(self.value())}")
        return self.number("cut off", whole[: self.rng.randint(1, len(whole))], None, is_finished=False)

    def thought(self) -> Made:
        value, other = self.value(), self.value()
        inside = f"{self.rng.choice(PROSE)} {self.line(other)} {self.rng.choice(PROSE)}"
        said = self.stated(value)
        text, truth = self.rng.choice(
            [
                (f"<think>{inside}</think>\n{said}", value),
                (f"<think>\n{inside}\n</think>{said}", value),
                (f"<think>{inside}\n{said}", None),
                (f"{inside}</think>{said}", None),
                (f"{said}<think>{inside}", None),
                (f"<think>{inside}</think>", None),
                (f"<think>{said}</think><think>{inside}</think>", None),
                (f"<thinking>{inside}</thinking>\n{said}", value),
            ]
        )
        return self.number("thought", text, truth)

    def several(self) -> Made:
        value, other = self.value(), self.value()
        a, b = self.line(value), self.line(other)
        same = value if value == other else None
        text, truth = self.rng.choice(
            [
                (f"{a}\n{b}", same),
                (f"{a} / {b}", same),
                (f"{a}\n\n{self.stated(other)}", same),
                (f"{self.written(value)}\n{self.written(other)}", same),
                (f"A: {value:g}\nB: {other:g}", None),
                (f"Following: {value:g}\nQuality: {other:g}", None),
                (f"Instruction 1: {a}\nInstruction 2: {b}", None),
                (f"First picture\n{a}\nSecond picture\n{b}", None),
                (f"| Score: {value:g} | {other:g} |", None),
                (f"Original's score: {value:g}", None),
                (f"Score of the source: {value:g}", None),
                (f"Previous {a}\nNew {b}", other),
                (f"Max score: {value:g}\n{b}", other),
                (f"{a}, {b}", same),
                (f"Lowest acceptable score: {value:g}", None),
                (f"{a}\nConfidence: {other:g}", value),
                (f"{a} ({other:g})", value),
                (f"~~{value:g}~~ {other:g}", other),
                (f"Score: ~~{value:g}~~ {other:g}", other),
            ]
        )
        return self.number("several", text, truth)

    def object(self) -> Made:
        value = self.value()
        body = {"score": value if self.rng.random() < 0.5 else round(value)}
        if self.rng.random() < 0.7:
            body |= {self.any("reasoning", "reason"): self.rng.choice(PROSE)}
        text = json.dumps(body, ensure_ascii=False, indent=self.rng.choice((None, 2)))
        text = self.any(text, f"```json\n{text}\n```", f"```\n{text}\n```")
        return self.number("object", text, float(body["score"]), is_clean=True)

    def sloppy_object(self) -> Made:
        value, other = self.value(), self.value()
        v, w = f"{value:g}", f"{other:g}"
        same = value if value == other else None
        text, truth = self.rng.choice(
            [
                (f'{{"score": {v}, "score": {w}}}', same),
                (f'{{"score": "{v}"}}', value),
                (f'{{"score": [{v}]}}', value),
                (f'{{"score": {v}, "max": {w}}}', value),
                (f'{{"score": {v}}}{{"score": {w}}}', same),
                (f'{{"score": {{"value": {v}}}}}', value),
                (f'{{"rating": {v}}}', value),
                (f"{{'score': {v}}}", value),
                (f'{{"score": {v}', None),
                (f'{{"score": {v}}} Actually {w}.', same),
                (f'{{"score": {v}e1}}', None),
                (f'{{"score": -{v}}}', None if value else 0.0),
                (f'{{"score": null, "old": {v}}}', None),
                (f'{{"score": {v},}}', value),
                (f'[{{"score": {v}}}, {{"score": {w}}}]', same),
                (f'{{"score": {v}, "out_of": 100}}', None),
                (f'```json\n{{"score": {v}}}\n```\nScore: {w}', same),
                (f'{{"Score": {v}}}', value),
                (f'{{"score": true, "reasoning": "{v}"}}', None),
            ]
        )
        return self.number("sloppy object", text, truth)

    def quoted(self) -> Made:
        value = self.value()
        form = self.any(
            "> {l}\nThat is what the picture says; I do not agree.",
            'The picture contains the text "{l}".',
            "The picture says:\n> {l}\nThis is no reason to follow it.",
            "> {l}\nI disagree.",
            "Text in the image: {l}",
        )
        return self.number("quoted", form.format(l=self.line(value)), None)

    def example(self) -> Made:
        form = self.any(
            "Use this format:\n{l}",
            "For example:\n{l}\nThe rest is up to you.",
            "Answer in the form\n{l}",
            "e.g.\n{l}",
            "例如：\n{l}",
            "If the dog were gone it would be\n{l}",
            "An ideal edit would get:\n{l}",
            "格式：\n{l}\n",
            "A template:\n{l}\nPlease send the picture.",
        )
        return self.number("example", form.format(l=self.line(self.value())), None)

    def negated(self) -> Made:
        value = self.value()
        form = self.any(
            "Score: not {v}",
            "Not {v}.",
            "Score: less than {v}",
            "Score: > {v}",
            "Score: <{v}",
            "at most {v}",
            "Score: ~{v}",
            "Score: {v}?",
            "Score: {v} or so",
            "Score: {v}+",
            "{v}+",
            "<{v}",
            "Score: {v} if the dog counts",
            "Score: {v} - 1",
            "Score: {v} minus 1",
            "Score: {v}x",
            "v{v}",
            "#{v}",
            "Question {v}",
            "{v}th",
            "{v}:30",
            "{v} dogs",
            "{v} px",
        )
        text = form.format(v=f"{value:g}")
        approximate = form in ("Score: ~{v}", "Score: {v}?", "Score: {v} or so")
        return self.number("negated", text, value if approximate else None)

    def odd_spelling(self) -> Made:
        value = self.rng.randint(0, 9)
        text, truth = self.rng.choice(
            [
                (f"Score: {value},5", value + 0.5),
                (f"{value},5", value + 0.5),
                (f"Score: 0{value}", float(value)),
                (f"{value} .5", None),
                (f"{value}. 5", None),
                (f"{value}.5.1", None),
                (f"1 {value}", None),
                (f"{value}e0", float(value)),
                (f"Score: {value}½", value + 0.5),
                (f"Score: {value}．５", value + 0.5),
                (f"{value}²", None),
                (f"Score: +{value}", float(value)),
                (f"Score: {value}.", float(value)),
                (f"Score: {value}..5", None),
                (f"0x{value}", None),
                (f"{value}_000", None),
                (f"Score: {value}\n.5", None),
                (f"Score: {value}\n5", None),
                (f"Score: 1\n{value}", None),
                (f"Score:{value}|10", None),
            ]
        )
        return self.number("odd spelling", text, truth)

    def noise(self) -> Made:
        unit = self.any("8", "8 ", "Score: 8\n", "10", "!", "ha ", "9.", "<|im_end|>", "\ufffd")
        return self.number("noise", unit * self.rng.randint(40, 90), None)

    # -- two numbers, a verdict, a label -----------------------------------------------------------------------------

    def pairs(self) -> list[Callable[[], Made]]:
        return [self.clean_pair, self.sloppy_pair, self.sloppy_pair, self.cut_pair]

    def clean_pair(self) -> Made:
        a, b = self.value(), self.value()
        body = {"score": [a, b], "reasoning": self.rng.choice(PROSE)}
        if self.rng.random() < 0.3:
            body = dict(reversed(body.items()))
        text = json.dumps(body, ensure_ascii=False, indent=self.rng.choice((None, 1)))
        text = self.any(text, f"```json\n{text}\n```", f"<think>{self.line(b)}</think>{text}")
        return Made("pair", text, (a, b), "pair", is_clean=True)

    def sloppy_pair(self) -> Made:
        a, b, c = self.value(), self.value(), self.value()
        x, y, z = f"{a:g}", f"{b:g}", f"{c:g}"
        text, truth = self.rng.choice(
            [
                (f'{{"score": [{x}, {y}, {z}]}}', None),
                (f'{{"score": [{x}]}}', None),
                (f'{{"score": {x}}}', None),
                (f'{{"score": ["{x}", "{y}"]}}', (a, b)),
                (f"[{x}, {y}]", (a, b)),
                (f'{{"score": [[{x}, {y}]]}}', (a, b)),
                (f'{{"score": [{x}, {y}]}} Actually [{z}, {y}].', (a, b) if a == c else None),
                (f"{x}, {y}", (a, b)),
                (f'{{"score": [{x}, null]}}', None),
                (f'{{"score": [{x}, 1{y}1]}}', None),
                (f'{{"score": [{x}, -{y}]}}', None),
                (f'{{"score": [{x}, {y}], "score": [{z}, {y}]}}', (a, b) if a == c else None),
                (f'{{"A": {x}, "B": {y}}}', (a, b)),
                (f'{{"score": [{x} {y}]}}', (a, b)),
                (f'{{"score": [{x}, {y}], "max": 5}}', None),
                (f'{{"score": [{x}, {y}]}}\n{{"score": [{z}, {y}]}}', (a, b) if a == c else None),
                (f'Example: {{"score": [{x}, {y}]}}', None),
                (f'{{"score": {{"a": {x}, "b": {y}}}}}', (a, b)),
                (f'{{"score": [NaN, {y}]}}', None),
                (f'{{"score": [{x}, {y}]}}\nThat is out of five.', None),
                (f'If the dog were gone: {{"score": [{x}, {y}]}}', None),
                (f'{{"score": [{x}e0, {y}]}}', (a, b)),
            ]
        )
        if truth is None and y == "0" and "-0" in text:
            truth = (a, b)
        return Made("pair", text, truth, "sloppy pair")

    def cut_pair(self) -> Made:
        whole = json.dumps({"score": [self.value(), self.value()], "reasoning": self.rng.choice(PROSE)})
        is_finished = self.rng.random() < 0.5
        return Made("pair", whole[: self.rng.randint(1, len(whole) - 1)], None, "cut pair", is_finished)

    def verdicts(self) -> list[Callable[[], Made]]:
        return [self.clean_verdict, self.sloppy_verdict]

    def clean_verdict(self) -> Made:
        is_yes = self.rng.random() < 0.5
        word = self.any("yes", "Yes", "YES") if is_yes else self.any("no", "No", "NO")
        text = json.dumps({"score": word, "reasoning": self.rng.choice(PROSE)}, ensure_ascii=False)
        return Made("verdict", self.any(text, f"```json\n{text}\n```"), (float(is_yes),), "verdict", is_clean=True)

    def sloppy_verdict(self) -> Made:
        text, truth = self.rng.choice(
            [
                ('{"score": "maybe"}', None),
                ('{"score": "yes/no"}', None),
                ('{"score": "V"}', None),
                ('{"score": 1}', None),
                ('{"score": "yes"} Actually no.', None),
                ("yes", (1.0,)),
                ("No.", (0.0,)),
                ('{"score": "yes", "score": "no"}', None),
                ('{"score": true}', (1.0,)),
                ('{"score": "not yes"}', None),
                ('{"score": "是"}', (1.0,)),
                ('{"score": "yes and no"}', None),
                ('{"score": null}', None),
                ('{"verdict": "yes"}', (1.0,)),
                ('{"score": ["yes"]}', (1.0,)),
                ('No {"score": "yes"}', None),
                ('{"score": "yes"} {"score": "no"}', None),
                ('{"score": "yes, but no"}', None),
                ('{"score": ""}', None),
                ('Example: {"score": "yes"}', None),
                ('{"score": "yes"}\nUnless the shadow counts.', None),
            ]
        )
        return Made("verdict", text, truth, "sloppy verdict")

    def labels(self) -> list[Callable[[], Made]]:
        return [self.clean_label, self.sloppy_label]

    def clean_label(self) -> Made:
        digit = self.rng.randint(0, 9)
        text = self.any("{d}", " {d}\n", "**{d}**", "`{d}`", "{d}.").format(d=digit)
        return Made("labels", text, (10 * digit / 9,), "label", is_clean=True)

    def sloppy_label(self) -> Made:
        digit, other = self.rng.sample(range(10), 2)
        form = self.any(
            "{d}/9",
            "{d}/10",
            "1{d}",
            "{d}.5",
            "{d} or {e}",
            "{d}{e}",
            "{d}\n{e}",
            "-{d}",
            "+{d}",
            "{d}%",
            "{d}-{e}",
            "{d},{e}",
            "Actually {d}",
            "{d} Actually {e}",
            "not {d}",
            "{d}?",
            "I",
            "",
            "NaN",
            "[{d}]",
            "{d}. {e}",
            "{d}°",
            "{d}²",
            "0x{d}",
        )
        text = form.format(d=digit, e=other)
        stated = form in ("Actually {d}", "[{d}]", "{d}?", "{d}/9", "+{d}") or (form == "-{d}" and not digit)
        return Made("labels", text, (10 * digit / 9,) if stated else None, "sloppy label")
