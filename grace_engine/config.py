"""Which settings can a user turn, and what does each default mean?"""

import math
import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

from grace_engine.errors import InputError
from grace_engine.records import Of

Proxy: TypeAlias = Literal["upstream", "lm_head", "exact"]
Target: TypeAlias = Literal["own", "reference"]
Aggregate: TypeAlias = Literal["mean", "min", "last-weighted", "length-weighted"]
Strategy: TypeAlias = Literal["grace", "random", "longest", "stepmax", "perplexity", "peak-loss"]
ProblemStrategy: TypeAlias = Literal[
    "gradalign", "gradalign-inner", "learnalign", "align", "accgreedy", "band", "random"
]
PolicyKind: TypeAlias = Literal["representation", "lm_head", "lora", "full"]
Dtype: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]

PROXIES: tuple[Proxy, ...] = ("upstream", "lm_head", "exact")
TARGETS: tuple[Target, ...] = ("own", "reference")
AGGREGATES: tuple[Aggregate, ...] = ("mean", "min", "last-weighted", "length-weighted")
STRATEGIES: tuple[Strategy, ...] = (
    "grace",
    "random",
    "longest",
    "stepmax",
    "perplexity",
    "peak-loss",
)
PROBLEM_STRATEGIES: tuple[ProblemStrategy, ...] = (
    "gradalign",
    "gradalign-inner",
    "learnalign",
    "align",
    "accgreedy",
    "band",
    "random",
)
OF: tuple[Of, ...] = ("prompts", "traces")
POLICY_KINDS: tuple[PolicyKind, ...] = ("representation", "lm_head", "lora", "full")
DTYPES: tuple[Dtype, ...] = ("auto", "float32", "bfloat16", "float16")

_LONGEST_NAME = 200


def require_one_of(what: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise ``InputError`` unless ``value`` is one of ``allowed``."""
    if value not in allowed:
        raise InputError(f"{what} {value!r} is not known: use one of {', '.join(allowed)}.")


def require_name(what: str, name: str) -> None:
    """Raise ``InputError`` unless a thing can be called so wherever its name is shown or written.

    A name is not blank, has at most 200 characters, no control character and no path separator,
    and is not that of a folder (``.``, ``..``).
    """
    if not name.strip():
        raise InputError(f"A {what.lower()} cannot have an empty name: give it one.")
    if name in (".", "..") or any(
        sign in "/\\" or unicodedata.category(sign) in ("Cc", "Zl", "Zp", "Cs") for sign in name
    ):
        raise InputError(
            f"{what} name {name[:_LONGEST_NAME]!r} cannot be used: leave out slashes, backslashes, "
            "line breaks and other control characters, and do not name it . or .."
        )
    if len(name) > _LONGEST_NAME:
        raise InputError(
            f"{what} name {name[:40]!r}… has {len(name):,} characters: use at most {_LONGEST_NAME}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """How earlier steps are weighted in a step's history (GRACE, section 2.3).

    Attributes:
        kind: ``uniform`` (every earlier step alike), ``window`` (the last W) or ``ema`` (decaying).
        window: W of ``window``, at least 1.
        beta: β of ``ema``, 0 ≤ β < 1.
    """

    kind: Literal["uniform", "window", "ema"] = "uniform"
    window: int = 0
    beta: float = 0.0

    def __str__(self) -> str:
        """The form that ``parse`` reads."""
        if self.kind == "window":
            return f"window:{self.window}"
        return f"ema:{self.beta:g}" if self.kind == "ema" else "uniform"

    @classmethod
    def parse(cls, text: str) -> "History":
        """Read ``uniform``, ``window:W`` or ``ema:β``; ``InputError`` on anything else."""
        kind, _, amount = text.strip().partition(":")
        try:
            if kind == "uniform" and not amount:
                return cls()
            if kind == "window" and int(amount) >= 1:
                return cls(kind="window", window=int(amount))
            if kind == "ema" and 0.0 <= float(amount) < 1.0:
                return cls(kind="ema", beta=float(amount))
        except ValueError:
            pass
        raise InputError(
            f"History {text!r} is not known: use uniform, window:W with W of 1 or more, "
            "or ema:β with β from 0 up to but not including 1."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """How step signals become a trace value (GRACE, sections 2.3 and 2.4).

    Attributes:
        alpha: Weight of alignment against consistency, 0 to 1; the paper's default is 0.7.
        history: Weights of earlier steps.
        aggregate: How step scores become the trace's value; ``mean`` is the paper's.
        history_only: The paper's "no answer" ablation: scores are consistency alone and step 1 is
            left out; a one-step trace then has no value.
    """

    alpha: float = 0.7
    history: History = History()
    aggregate: Aggregate = "mean"
    history_only: bool = False

    def __post_init__(self) -> None:
        """Refuse an α outside 0..1 or an unknown aggregation."""
        if not 0.0 <= self.alpha <= 1.0:
            raise InputError(f"Alpha {self.alpha!r} is out of range: use a number from 0 to 1.")
        require_one_of("Aggregation", self.aggregate, AGGREGATES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much may be selected.

    Attributes:
        kind: ``fraction`` of the scored traces, a number of ``traces``, or of ``tokens``.
        amount: The share (0 to 1) or the number; exact, so that ⌈ρN⌉ is not moved by rounding.
    """

    kind: Literal["fraction", "traces", "tokens"]
    amount: Fraction

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Read ``20%``, ``500`` or ``1.2Mtok`` (also ``800ktok``, ``5000tok``)."""
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%|[kKmMgG]?tok)?\s*", text)
        if match:
            amount, unit = Fraction(match[1]), (match[2] or "").lower()
            if unit == "%" and 0 < amount <= 100:
                return cls(kind="fraction", amount=amount / 100)
            if unit.endswith("tok") and amount > 0:
                scale = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}[unit[:-3]]
                return cls(kind="tokens", amount=amount * scale)
            if not unit and amount.denominator == 1 and amount > 0:
                return cls(kind="traces", amount=amount)
        if match and match[2] == "%":
            raise InputError(f"Budget {text!r} is no share: use one above 0% and up to 100%.")
        raise InputError(
            f"Budget {text!r} is not known: use a share such as 20%, a number of traces such as "
            "500, or a number of tokens such as 1.2Mtok."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Pass rates from ``low`` to ``high``, both included, within 0 and 1."""

    low: float
    high: float

    @classmethod
    def parse(cls, text: str) -> "Band":
        """Read ``0.25-0.75``; ``InputError`` on anything else."""
        match = re.fullmatch(r"\s*(\d*\.?\d+)\s*-\s*(\d*\.?\d+)\s*", text)
        if match and 0 <= (low := float(match[1])) <= (high := float(match[2])) <= 1:
            return cls(low=low, high=high)
        raise InputError(
            f"Band {text!r} is not known: use two pass rates from 0 to 1, such as 0.25-0.75."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreConfig:
    """What decides a scoring run.

    Attributes:
        model: Folder of a Hugging Face causal LM or a hub id; the shipped model by default.
        revision: Branch, tag or commit of a hub id.
        adapter: Folder or hub id of a PEFT adapter, merged before scoring.
        proxy: What stands for a segment's gradient.
        parameters: Name patterns (``fnmatch``) of ``exact``; all parameters when empty.
        entropy_discount: c ≥ 0, nats⁻¹: a segment's gradient weighs its tokens by the softmax of
            −c·H, H the entropy of the model's prediction of the token. 0 is the paper's plain mean;
            a larger c listens less to tokens whose wording the model cannot know.
        target: Whose answer is the last segment.
        dtype: ``auto`` is bfloat16 where the device computes in it, else float32.
        device: ``auto`` takes CUDA, then Apple MPS, then the CPU.
        tokens_per_batch: Padded tokens of one forward pass.
        sample: Score only that many traces, drawn by id digest; 0 for all.
        datasets: Names; all of the workspace when empty.
        with_marks: Step and answer marks belong to their segments.
        with_end_token: The end token that follows the answer belongs to it.
        trust_remote_code: Allow Python code that comes with the model to run.
        max_length: Longest rendered trace in tokens; 0 takes the model's own limit.
        workspace_elements: Upper bound of elements in one tile over the vocabulary; 0 takes 2^21
            on a CPU, whose caches hold little, and 2^25 elsewhere.
        gradient_memory: Bytes that ``exact`` may use for gradients; 0 takes half of what is free.
        retry_failed: Try traces again that an earlier run of the same settings could not score;
            those that did not fit in memory are always tried again.
    """

    model: str = ""
    revision: str = ""
    adapter: str = ""
    proxy: Proxy = "upstream"
    parameters: tuple[str, ...] = ()
    entropy_discount: float = 0.0
    target: Target = "own"
    dtype: Dtype = "auto"
    device: str = "auto"
    tokens_per_batch: int = 8192
    sample: int = 0
    datasets: tuple[str, ...] = ()
    with_marks: bool = False
    with_end_token: bool = False
    trust_remote_code: bool = False
    max_length: int = 0
    workspace_elements: int = 0
    gradient_memory: int = 0
    retry_failed: bool = False

    def __post_init__(self) -> None:
        """Refuse values that no run could use."""
        require_one_of("Proxy", self.proxy, PROXIES)
        require_one_of("Target", self.target, TARGETS)
        require_one_of("Dtype", self.dtype, DTYPES)
        if self.tokens_per_batch < 1:
            raise InputError(f"Tokens per batch must be 1 or more, not {self.tokens_per_batch}.")
        if self.sample < 0 or self.max_length < 0:
            raise InputError("Sample and max length cannot be negative.")
        if self.parameters and self.proxy != "exact":
            raise InputError("Named parameters go with --proxy exact only.")
        if not 0.0 <= self.entropy_discount < math.inf:
            raise InputError(
                f"Entropy discount {self.entropy_discount!r} is out of range: use 0, the paper's "
                "plain mean over tokens, or a positive number such as 10."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestConfig:
    """How files are read.

    Attributes:
        dataset: Name of the dataset; the file's name without its ending when empty.
        schema: Name of a schema, or ``auto`` to find it by content.
        segmenter: ``auto``, ``lines``, ``blank-lines``, ``markers``, ``sentences``, ``given`` or
            ``regex:PATTERN``.
        mapping: ``prompt=…,trace=…[,answer=…]``: names of fields instead of a schema.
        processes: How many cut traces at once; 0 for as many as there are cores, up to eight.
    """

    dataset: str = ""
    schema: str = "auto"
    segmenter: str = "auto"
    mapping: str = ""
    processes: int = 0

    def __post_init__(self) -> None:
        """Refuse values that no reading could use."""
        if self.dataset:
            require_name("Dataset", self.dataset)
        if self.processes < 0:
            raise InputError(f"Processes must be 1 or more, or 0 for all cores: {self.processes}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class CurateConfig:
    """How a subset is chosen from a scored run, apart from the weights of its signals.

    Attributes:
        budget: ``20%``, ``500`` or ``1.2Mtok``.
        strategy: By what number traces, or problems, are ranked.
        seed: Of ``random`` and ``band``.
        band: Pass rates of ``band``: ``LOW-HIGH``.
        zero_without_variance: Problems whose rewards are all equal have the value 0, in the place
            of none: they rank before those that point away from the target, as GradAlign's
            released code has it.
        per: Column of a run's traces, such as ``dataset`` or ``label.level``: the budget then holds
            within each of its values. "" for one budget over all.
        cap_per_prompt: Most traces of one prompt; 0 for any number.
        without_duplicates: ``prompts`` or ``traces``: of each group of (near-)duplicates that was
            found, only the trace that ranks best is taken. "" for all of them.
        overrides: Take what curators keep and leave what they drop.
    """

    budget: str = "20%"
    strategy: Strategy | ProblemStrategy = "grace"
    seed: int = 0
    band: str = "0.25-0.75"
    zero_without_variance: bool = False
    per: str = ""
    cap_per_prompt: int = 0
    without_duplicates: Of | Literal[""] = ""
    overrides: bool = True

    def __post_init__(self) -> None:
        """Refuse values that no choice could use."""
        Budget.parse(self.budget)
        known = dict.fromkeys((*STRATEGIES, *PROBLEM_STRATEGIES))
        require_one_of("Strategy", self.strategy, tuple(known))
        Band.parse(self.band)
        if self.without_duplicates:
            require_one_of("Without duplicates of", self.without_duplicates, OF)
        if self.cap_per_prompt < 0:
            raise InputError(
                f"A cap of {self.cap_per_prompt} traces per prompt is out of range: use 1 or more, "
                "or 0 for any number."
            )
