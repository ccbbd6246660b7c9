"""The nouns that flow through editeval; read this file first. Standard library only, everything frozen.

Benchmark --iter--> Sample --> EditRequest --> Editor --> Outcome[...] --> Edit   (one row of the ledger)
                               JudgeRequest --> Judge --> Outcome[...] --> Score  (rows of the ledger) --> Summary
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from editeval.metrics import STATISTICS as STATISTICS
from editeval.metrics import Metric as Metric
from editeval.metrics import OfficialMean as OfficialMean
from editeval.metrics import Score as Score
from editeval.metrics import Summary as Summary
from editeval.metrics import off_scale as off_scale

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")
Facts = Mapping[str, str | int | float | bool | None]  # what a loaded model says of itself; numbers are finite
PluginParams = Any  # an instance of a plug-in's own `Params`: only the plug-in knows its type
WEIGHTS: Mapping[str, bool] = {"weights": True}  # metadata of a field of Params that names weights: content counts
WHERE_SET: Mapping[str, bool] = {"identity_where_set": True}  # of a newer field: no part of identities while empty
Progress = Callable[[int, int], None]  # (step, num_steps): an editor may call it after every step; never raises


class ImageRef(Protocol):
    """Where an encoded image is (a path, a slice of a file, a drawing); holds no pixels.

    One that lies in a file has an attribute `path`: while the file is untouched, so is the image.
    """

    def read(self) -> bytes:
        """Encoded bytes (PNG, JPEG or WebP). Raises ImageError if they cannot be read."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One thing to edit. `id` is unique and stable; it alone decides the seed and the file name."""

    id: str
    category: str
    images: tuple[ImageRef, ...]  # the source images, one or more, in the order in which an editor gets them
    instruction: str
    description: str = ""
    target: ImageRef | None = None  # what a perfect edit is, pixel by pixel, where that is known
    mask: ImageRef | None = None  # 8-bit L: 255 where the edit must change the source, 0 where it must not
    cluster: str = ""  # samples of one source image share a cluster; empty: the sample is its own
    metadata: Mapping[str, object] = field(default_factory=dict)  # JSON values only
    references: tuple[ImageRef, ...] = ()  # for the judge: one way of doing it right, or what an answer has to show
    reference_text: str = ""  # for the judge: what a right edit shows, in words
    language: str = ""  # of the instruction: "en", "cn", ... as the benchmark spells it; empty: the data do not say
    subset: str = ""  # the named part of the benchmark whose results are published apart, if the sample is in one
    after: str = ""  # id of the previous turn: its edit is what is edited, not the first source image; empty: none
    repeat_of: str = ""  # id of the sample that this edits once more, with another seed; empty: of none
    seed_index: int = 1  # 1: the first seed of its sample; 2, 3, ...: of what repeats it

    def __post_init__(self) -> None:
        if not isinstance(self.images, tuple) or not self.images:
            got = type(self.images).__name__ if self.images else "none"
            raise ValueError(f"sample {self.id!r}: images must be a tuple of one or more images, got {got}")

    @property
    def image(self) -> ImageRef:
        """The first source image: the one that an edit is compared with and that is shown beside it."""
        return self.images[0]


@dataclass(frozen=True, slots=True)
class Subset:
    """Which part of its benchmark a run covers."""

    num: int  # samples, of ...
    of: int
    how: str  # they were chosen: "stratified, seed 0"


@dataclass(frozen=True, slots=True)
class EditRequest:
    """One edit to make. `images` are the encoded source images, in order, at most as many as the editor takes."""

    key: str
    images: tuple[bytes, ...]
    instruction: str
    seed: int  # 0 <= seed < 2**31
    overrides: Mapping[str, object] = field(default_factory=dict)  # per-call parameters of `batch_edit`
    target: bytes | None = None  # encoded; only for a control that asks for it
    found: bytes | None = None  # the edit itself, encoded, that was made elsewhere; only for an editor that imports


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """One edit to judge; every image as encoded bytes."""

    key: str
    sources: tuple[bytes, ...]  # one or more, in the sample's order
    edited: bytes
    instruction: str
    target: bytes | None = None
    mask: bytes | None = None
    prompt: tuple[str, str] | None = None  # (system, user) of the sample's category, already rendered
    metadata: Mapping[str, object] = field(default_factory=dict)
    references: tuple[bytes, ...] = ()
    reference_text: str = ""
    language: str = ""
    edited_b: bytes | None = None  # a second edit of the same sample: which of the two is better is asked

    @property
    def source(self) -> bytes:
        """The first source image."""
        return self.sources[0]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request has no value. `reason` is one word that a user can filter by, `message` one line that helps."""

    reason: str  # exception | oom | timeout | stalled | worker_died | bad_source | bad_output | refused | ...
    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What became of one request: exactly one of value and error. The only place for failure and timing."""

    key: str
    value: T | None
    error: Failure | None
    worker: int
    device: str
    attempt: int  # 1 = the first
    started_at: float  # unix seconds, when the device began
    seconds: float  # device time: load of pixels, encoding and disk are not in it
    peak_memory_gib: float | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.error is None):
            raise ValueError(f"outcome {self.key}: needs exactly one of value and error")


@dataclass(frozen=True, slots=True)
class Made:
    """What an edit was made of: equal in all three, equal edits."""

    source_sha256: str  # of the encoded source image
    inputs: str  # digest of all that the sample gives: source, target where it is shown, instruction, seed
    editor_id: str  # digest of editor, parameters, weights and code; empty: not known


@dataclass(frozen=True, slots=True)
class Edit:
    """One row of the ledger: what became of a sample's edit. `status` is "done" or "failed"; failed has no path."""

    sample_id: str
    status: str
    path: str | None  # relative to the run directory
    sha256: str | None  # of the PNG file
    width: int | None
    height: int | None
    seed: int
    error: Failure | None
    worker: int
    device: str
    started_at: float
    seconds: float
    attempt: int
    peak_memory_gib: float | None = None
    flags: tuple[str, ...] = ()  # what is odd about a done edit, of images.FLAGS and images.FLAGS_OF_FILES
    made: Made | None = None  # None: not recorded
    origin: str = ""  # name of the run from which the edit was taken over; empty: it was made here


@dataclass(frozen=True, slots=True)
class UsageRequest:
    """Calls about to be made; tokens and price of those that were answered; what may be spent in all (None: any)."""

    calls: int = 0
    prompt_tokens: int = 0
    reply_tokens: int = 0
    usd: float = 0.0
    max_calls: int | None = None
    max_usd: float | None = None


RequestBudget = Callable[[UsageRequest], str]  # "" if it is allowed, and recorded; else why not. Blocks until answered


def grant_all_requests(bill: UsageRequest) -> str:
    return ""  # no budget: every request is allowed


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model that workers get from the Hugging Face Hub, unless it is in this machine's cache."""

    name: str  # owner/name
    revision: str | None  # branch, tag or commit; None: main
    file: str  # small, and in every model of the kind: who may read it may load the model
    is_file_needed: bool = True  # False: a model without `file` may be loaded all the same
    cache_dir: str | None = None  # None: where huggingface_hub keeps its own
    parameter: str = "model_name"  # that names it
    needs_weights: bool = True  # False: only small files are loaded


@dataclass(frozen=True, slots=True)
class NoParams:
    """The parameters of a plug-in that declares none."""


class Benchmark(ABC):
    """A set of samples. Iterating is cheap (no pixels), repeatable, and in a fixed order."""

    Params: ClassVar[type] = NoParams

    def __init__(self, params: PluginParams) -> None:
        self.params = params

    @abstractmethod
    def __iter__(self) -> Iterator[Sample]:
        """Every sample, in order. Raises BenchmarkError for duplicate ids, missing fields, an empty set."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Hash of the content: equal if and only if the samples (ids, texts, images) are."""

    def earlier_fingerprints(self) -> tuple[str, ...]:
        return ()  # what it was, under these parameters, in older versions whose samples cannot be made any more

    def notes(self) -> tuple[str, ...]:
        return ()  # what a user is told of it before a run, one line each


class Plugin:
    """What editors and judges share. `load` comes first, `unload` last; retrying and timing are not their business."""

    Params: ClassVar[type] = NoParams
    version: ClassVar[int] = 1  # of a built-in one: raised when the same request gives another result
    default_device: ClassVar[str] = "cuda"  # without device_ids: "cuda" = every visible GPU, "cpu" = one CPU worker
    is_remote: ClassVar[bool] = False  # asks a server: it needs no device of this machine
    packages: ClassVar[tuple[str, ...]] = ()  # that its workers need besides editeval's own
    variants: ClassVar[tuple[str, ...]] = ()  # what it covers, and how far each was tested: lines of `editeval list`
    code_token: ClassVar[str] = ""  # in place of its source, where nobody can read that
    worker: int = 0  # its number among the workers of its stage, known before `load`
    allow_code: bool = False  # the user consents to code, also in the weights that it loads; set before `load`
    request_budget: RequestBudget = staticmethod(grant_all_requests)  # asked before each paid call; set before `load`

    def __init__(self, params: PluginParams) -> None:
        self.params = params

    @classmethod
    def packages_of(cls, params: PluginParams) -> tuple[str, ...]:
        return cls.packages  # under these parameters, where they decide

    @classmethod
    def check(cls, params: PluginParams) -> None:
        """Raises MachineError for what can be seen without loading. Once, in the parent, in seconds, at no cost."""

    @classmethod
    def hub_model(cls, params: PluginParams) -> HubModel | None:
        """What its workers would get from the Hub; it is looked up before anything starts. None: nothing."""
        return None

    @classmethod
    def hub_others(cls, params: PluginParams) -> tuple[HubModel, ...]:
        return ()  # likewise, beside it: an adapter, a base model, a second network

    def facts(self) -> Facts:
        return {}  # what the loaded model says of itself: commit, attention, dtype, device; on record in the run

    def unload(self) -> None:
        """Give the devices back."""


class Editor(Plugin, ABC):
    """One image-editing model on one device. `edit` returns the image or raises."""

    sees_target: ClassVar[bool] = False  # True only for controls: a request holds the target
    max_images: ClassVar[int | None] = 1  # source images that it takes in one request; None: any number
    is_control: ClassVar[bool] = False  # its scores are known beforehand: equal ones are no warning
    is_import: ClassVar[bool] = False  # True: its edits are files that were made elsewhere; a request holds one

    @classmethod
    def max_images_of(cls, params: PluginParams) -> int | None:
        return cls.max_images  # source images under these parameters, where they decide

    def load(self, device: str) -> None:
        """Make the model ready on `device` ("cpu", "cuda:0"). Called once, before the first edit."""
        return

    @abstractmethod
    def edit(self, request: EditRequest, progress: Progress) -> Image:
        """The edited image, RGB."""


class Judge(Plugin, ABC):
    """Scores edits. Returns one list of scores per request, in order; what it cannot score is a Score without value."""

    metrics: ClassVar[tuple[str, ...]]  # every metric it gives; the first is the headline and applies to every sample
    is_batch_invariant: ClassVar[bool] = False  # True: what shares a call changes no score
    uses_prompts: ClassVar[bool] = False  # True: every category needs an entry in the YAML section `prompts`
    reads_instruction: ClassVar[bool] = True  # False: it compares with the known target and is told nothing else

    @classmethod
    def metrics_of(cls, params: PluginParams) -> tuple[str, ...]:
        """The metrics under these parameters, where they decide which there are."""
        return cls.metrics

    @classmethod
    def scales_of(cls, params: PluginParams) -> Mapping[str, Metric]:
        """The scale of every metric that is not 0-10 with 10 the best, by the metric's name."""
        return {}

    @classmethod
    def official_of(cls, params: PluginParams) -> tuple[OfficialMean, ...]:
        """How the authors of its questions make one number of the scores, the main one first; empty: they do not."""
        return ()

    @classmethod
    def uses_prompts_of(cls, params: PluginParams) -> bool:
        """Whether it uses prompts under these parameters."""
        return cls.uses_prompts

    @classmethod
    def roles_of(cls, params: PluginParams) -> Mapping[str, str]:
        """What a certificate checks -> the metric that measures it: following, preservation; where it measures nothing
        else, "preservation alone", "quality alone". The rest goes by usual names (certificates/conditions.py)."""
        return {}

    @classmethod
    def fingerprint_of(cls, params: PluginParams) -> str:
        """Hash of whatever in its code decides a score besides the parameters: questions, grammar, aggregation."""
        return ""

    def load(self, devices: Sequence[str]) -> None:
        """Make the judge ready on `devices` (more than one: it spans them). Called once, before the first request."""
        return

    def prepare(self, requests: Sequence[JudgeRequest]) -> None:
        """Begin reading and resizing for a later `judge(requests)`; returns at once. Called from another thread."""
        return

    @abstractmethod
    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        """One list of scores per request, in order."""
