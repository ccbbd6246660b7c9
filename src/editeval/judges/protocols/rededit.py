"""Protocol `rededit`: a rubric of the sample's own task, three grades 1-5, as REDEdit-Bench (RedBench) asks.

Grades, grammar, the headline `overall` and `match_published: any_numbers` are those of `imgedit`, whose rubrics the
authors have taken over for seven of their fifteen tasks. Official number: each sample's mean rounded to 2, the mean of
each task rounded to 2, their mean with 4 decimals.

Shown, in one message: source, a caption, edited image, a caption, the rubric; images as they are. Official judge:
gemini-3-flash-preview at temperature 0.1, top_p 0.95, 8192 tokens. The published tables are of 1,673 pairs, of which
1,542 are public. arXiv 2602.13344.
"""

from __future__ import annotations

from collections.abc import Mapping

from editeval.judges.protocols.imgedit import LABELS, RUBRICS, UNTOUCHED, EditRubric, ImgEditProtocol, criteria_of
from editeval.judges.protocols.protocol import OfficialSettings, PromptSource, ShownImage
from editeval.types import OfficialMean

_BLEND, _LIGHT = RUBRICS["add"].criteria[1:]
_PERSON = RUBRICS["action"].criteria[1]
_SOURCE_CAPTION, _EDITED_CAPTION = "caption_source", "caption_edited"

_RUBRICS: Mapping[str, EditRubric] = {
    **{task: RUBRICS[task] for task in ("add", "remove", "replace", "extract", "adjust", "compose", "background")},
    "stylize": RUBRICS["style"],
    "motion": RUBRICS["action"],
    "text": EditRubric(
        "Writing in the picture was to be changed.",
        (
            (
                "Writing",
                "does it say exactly what was asked for, letter by letter, in the right place, and only there?",
            ),
            ("Lettering", "are the letters sharp, whole and even, in the font, size and colour that belong there?"),
            ("Fit", "does the writing lie on its ground as before, and is the rest of the picture as it was?"),
        ),
    ),
    "color": EditRubric(
        "The colour of something was to be changed.",
        (
            (
                "Colour",
                "has exactly the thing that was meant the colour that was asked for, and nothing else a new one?",
            ),
            ("Blending", "is the colour even and clean, without spill, bands or blotches, with the texture kept?"),
            ("Material", "do highlights, shadows and reflections still belong to that material in that light?"),
        ),
    ),
    "beauty": EditRubric(
        "A person, or the mood of the picture, was to be made more beautiful.",
        (
            ("Beauty", "is it the improvement that was asked for, neither too weak nor too strong, and nothing else?"),
            ("Retouching", "does it look like good photography: no waxy skin, halos, patches or colour cast?"),
            ("Person", "is it the same person, with sound features and real skin and hair?"),
        ),
    ),
    "lowlevel": EditRubric(
        "The picture was to be restored or enhanced, such as sharpened, cleaned or coloured.",
        (
            ("Restoration", "is the flaw that was meant gone, everywhere and by the right amount?"),
            ("Naturalness", "does it look like a better photograph: no ringing, wax, made-up texture or colour cast?"),
            ("Truth", "are shapes, faces and material still those of the original?"),
        ),
    ),
    "viewpoint": EditRubric(
        "The scene was to be shown from elsewhere, or something in it was to be turned.",
        (
            ("Viewpoint", "is it the view that was asked for, in direction and amount, of the same things?"),
            ("Rendering", "is it clean: no torn or stretched texture, broken shapes, halos or blur?"),
            ("Space", "are shapes, what covers what, light and newly seen sides possible and consistent?"),
        ),
    ),
    "portrait": EditRubric(
        "A new picture of the person in the first one was to be made.",
        (
            ("Person", "is it unmistakably the same person, in face and body?"),
            ("Anatomy", "are face, limbs, joints and proportions sound?"),
            ("Realism", "does it look like a real photograph: skin, light, sharpness, background?"),
        ),
    ),
}

_THEIRS: Mapping[str, tuple[str, str, str]] = {  # where they are not those of ImgEdit
    "motion": ("Motion Fidelity", "Identity Preservation", "Visual & Anatomical Coherence"),
    "text": ("Text Instruction Compliance", "Text Visual Quality", "Overall Edit Quality"),
    "color": ("Instruction Compliance", "Visual Seamlessness", "Physical Consistency"),
    "beauty": ("Instruction Compliance", "Visual Seamlessness", "Visual & Anatomical Coherence"),
    "lowlevel": ("Instruction Compliance", "Visual Naturalness", "Physical & Detail Consistency"),
    "viewpoint": ("Instruction Compliance", "Visual Seamlessness", "Physical Consistency"),
    "portrait": ("Identity Consistency", "Structural Stability", "Overall Realism & Image Quality"),
}


class RedEditProtocol(ImgEditProtocol):
    """Three grades by the rubric of the sample's task, and their mean."""

    benchmark = "rededit"
    kinds = tuple(_RUBRICS)
    labels = {  # noqa: RUF012
        task: criteria_of(_THEIRS[task]) if task in _THEIRS else LABELS["style" if task == "stylize" else task]
        for task in kinds
    }
    own_words = {  # noqa: RUF012
        **{task: rubric.text for task, rubric in _RUBRICS.items()},
        _SOURCE_CAPTION: "This was the original picture.",
        _EDITED_CAPTION: "This was the edited picture.",
    }
    prompt_source = PromptSource(
        "github.com/FireRedTeam/FireRed-Image-Edit",
        ("rededit_bench/prompts.json",),
        {
            "add": ("8a653823ed956386",),
            "remove": ("ce82586c25f5e8cb",),
            "replace": ("113cba9c7b7ef0b6",),
            "extract": ("38bdeafbac4ea4f9",),
            "adjust": ("34c3ca70a7a6bd4e",),
            "compose": ("bdb802e600013647",),
            "motion": ("c21f36e9cc9bc251",),
            "text": ("5c229ff227a5c180",),
            "background": ("9bfce039169b23d6",),
            "color": ("6ad74471ff408b93",),
            "beauty": ("723e3d787d46bb60",),
            "lowlevel": ("599fa1ca8d60d114",),
            "stylize": ("0b84dfc09fc4a723",),
            "viewpoint": ("9ab408d87ff8d327",),
            "portrait": ("55efadd7c415508b",),
            _SOURCE_CAPTION: ("420dae149222f4aa",),
            _EDITED_CAPTION: ("590c3231b237bf74",),
        },
        (
            (_SOURCE_CAPTION, "rededit_bench/redbench_eval.py", "call_gemini.contents.1"),
            (_EDITED_CAPTION, "rededit_bench/redbench_eval.py", "call_gemini.contents.3"),
        ),
    )
    settings = OfficialSettings(("gemini-3-flash-preview",), temperature=0.1, max_new_tokens=8192, top_p=0.95)
    official = (OfficialMean("Overall", ("overall",), "categories", score_digits=2, category_digits=2, digits=4),)

    def parts(self, text: str) -> tuple[str | ShownImage, ...]:
        source, edited = (ShownImage(role, preparation=UNTOUCHED) for role in ("source", "edited"))
        return source, self.words[_SOURCE_CAPTION], edited, self.words[_EDITED_CAPTION], text


PROTOCOL = RedEditProtocol
